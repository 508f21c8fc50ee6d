package report

import _ "embed"

// SchemaJSON is the JSON Schema (draft 2020-12) of a [Report]. It requires every
// key of the contract and allows further ones.
//
//go:embed schema.json
var SchemaJSON []byte
