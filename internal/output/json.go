package output

import (
	"bytes"
	"encoding/json"

	"sagemaker-role-audit/internal/analyze/report"
)

// writeJSON appends the contract to buf: two spaces of indent, no HTML escapes,
// a final newline. The same report gives the same bytes.
func writeJSON(buf *bytes.Buffer, r *report.Report) error {
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return err
	}
	escapeJSON(buf, plain.Bytes())
	return nil
}
