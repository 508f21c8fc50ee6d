package awssim

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// xmlNamespaces of the query protocol services.
var xmlNamespaces = map[string]string{
	"iam": "https://iam.amazonaws.com/doc/2010-05-08/",
	"sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}

// encode gives the body of a good answer.
func (c *call) encode(result any, requestID string) []byte {
	if c.operation.protocol == query {
		return encodeQuery(c.operation, result, requestID)
	}
	if object, ok := result.(*part); ok {
		return []byte(object.body)
	}
	if list, ok := result.(*objectList); ok {
		return append([]byte(xml.Header), mustXML(list)...)
	}
	if document, ok := result.(string); ok && c.operation.protocol == restXML {
		return []byte(document)
	}
	return mustJSON(result)
}

// encodeQuery wraps a result as the query protocol does: GetRoleResponse, in it GetRoleResult and ResponseMetadata.
func encodeQuery(op *operation, result any, requestID string) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "<%sResponse xmlns=%q>", op.name, xmlNamespaces[op.service])
	encoder := xml.NewEncoder(&out)
	start := xml.StartElement{Name: xml.Name{Local: op.name + "Result"}}
	if err := encoder.EncodeElement(result, start); err != nil {
		panic(err) // our own plain structs always encode
	}
	fmt.Fprintf(&out, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>", requestID, op.name)
	return out.Bytes()
}

// asAPIError turns what an operation says into what a client hears.
func asAPIError(p protocol, err error) *apiError {
	var api *apiError
	if errors.As(err, &api) {
		return api
	}
	return p.invalid("%s", err)
}

// percentEncoded is how IAM answers a policy document: every character but the unreserved ones of RFC 3986
// (AWS: API_RoleDetail).
func percentEncoded(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}

// iso is a time as IAM writes it, or nothing.
func iso(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
