package snapshot

// Manifest is what a manifest or augmented manifest of an input channel names.
// Source: SageMaker API, S3DataSource.
type Manifest struct {
	// URI is the manifest's own, as jobs give it.
	URI string `json:"uri"`
	// Prefixes are S3 URIs, each a key-name prefix; together they take in all that was
	// read of the manifest.
	Prefixes []string `json:"prefixes"`
	// Truncated says that the manifest names more than was read of it.
	Truncated bool `json:"truncated,omitempty"`
}
