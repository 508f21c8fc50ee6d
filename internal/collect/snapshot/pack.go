package snapshot

import "encoding/binary"

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
			b = append(b, byte(i))
			b = binary.AppendUvarint(b, uint64(len(*text)))
			b = append(b, *text...)
		}
	}
	if k.ReadOnly != from.ReadOnly {
		b = append(b, packReadOnly)
	}
	if k.Denial.Explicit != from.Denial.Explicit {
		b = append(b, packExplicit)
	}
	return b
}

// Unpack changes a key to what Pack packed: the key that it differed from.
func (k *UseKey) Unpack(packed string) {
	texts := k.texts()
	for len(packed) > 0 {
		i := packed[0]
		packed = packed[1:]
		switch i {
		case packReadOnly:
			k.ReadOnly = !k.ReadOnly
			continue
		case packExplicit:
			k.Denial.Explicit = !k.Denial.Explicit
			continue
		}
		n, used := 0, 0
		for shift := 0; ; shift += 7 {
			c := packed[used]
			used++
			if n |= int(c&0x7f) << shift; c < 0x80 {
				break
			}
		}
		*texts[i] = packed[used : used+n]
		packed = packed[used+n:]
	}
}
