package snapshot

import (
	"encoding/binary"
	"iter"
)

// A UseKey has some sixty fields, of which a call fills a dozen. Who holds many of them
// holds them packed.

// texts are the fields of a key that are strings, in one order.
func (k *UseKey) texts() [textFields]*string {
	p := &k.Params
	return [textFields]*string{
		&k.Role.ARN, &k.Role.ID, &k.Caller, &k.EventSource, &k.EventName, &k.EventType, &k.Category, &k.Region, &k.ErrorCode,
		&k.Denial.Action, &k.Denial.Resource, &k.Denial.Layer,
		&k.Who.Session, &k.Who.InvokedBy, &k.Who.Agent, &k.Who.SourceIdentity, &k.Who.OnBehalfOf, &k.Resources,
		&p.BucketName, &p.Key, &p.Prefix, &p.ListType, &p.CopySource, &p.VersionID, &p.ACL, &p.Grants, &p.Tagging,
		&p.RepositoryName, &p.RegistryID, &p.LogGroupName, &p.LogStreamName, &p.KeyID, &p.S3ARN, &p.RoleARN,
		&p.ExecutionRoleARN, &p.Role, &p.TuningRoleARN, &p.RoleSession, &p.TrainingJobName, &p.FunctionName, &p.TableName,
		&p.SecretID, &p.QueueURL, &p.Name, &p.PolicyARN, &p.PolicyName, &p.RoleName, &p.TrailName,
		&p.Keys, &p.CopySources, &p.S3ARNs, &p.Prefixes, &p.LogStreams, &p.TrainingJobs,
	}
}

// textFields is how many they are, which a test counts. The flags come after them.
const textFields = 54

const (
	packReadOnly = textFields + iota
	packExplicit
)

// Pack appends the fields in which the key differs from another to b.
func (k *UseKey) Pack(b []byte, from *UseKey) []byte {
	texts, others := k.texts(), from.texts()
	for i, text := range texts {
		if *text != *others[i] {
			b = AppendField(b, byte(i), *text)
		}
	}
	if k.ReadOnly != from.ReadOnly {
		b = AppendField(b, packReadOnly, "")
	}
	if k.Denial.Explicit != from.Denial.Explicit {
		b = AppendField(b, packExplicit, "")
	}
	return b
}

// AppendField appends one field of a packed key, by its number. A flag has no text: that
// it is there means that it differs.
func AppendField(b []byte, field byte, text string) []byte {
	b = append(b, field)
	if IsFlag(field) {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

// IsFlag reports whether a field of a packed key has no text.
func IsFlag(field byte) bool { return field >= textFields }

// Fields yields the fields of a packed key.
func Fields(packed string) iter.Seq2[byte, string] {
	return func(yield func(byte, string) bool) {
		for len(packed) > 0 {
			field := packed[0]
			packed = packed[1:]
			var text string
			if !IsFlag(field) {
				n, used := 0, 0
				for shift := 0; ; shift += 7 {
					c := packed[used]
					used++
					if n |= int(c&0x7f) << shift; c < 0x80 {
						break
					}
				}
				text, packed = packed[used:used+n], packed[used+n:]
			}
			if !yield(field, text) {
				return
			}
		}
	}
}

// Unpack changes a key to what Pack packed: the key that it differed from.
func (k *UseKey) Unpack(packed string) {
	texts := k.texts()
	for field, text := range Fields(packed) {
		switch field {
		case packReadOnly:
			k.ReadOnly = !k.ReadOnly
		case packExplicit:
			k.Denial.Explicit = !k.Denial.Explicit
		default:
			*texts[field] = text
		}
	}
}
