package trailfiles

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// What the walk knows of a record: the fields that [snapshot.Record] has, with the
// JSON that encoding/json takes for each, and CloudTrail's other names, which say
// nothing here. Source: CloudTrail User Guide, cloudtrail-event-reference-record-contents
// and cloudtrail-event-reference-user-identity.

// level is an object whose members' names matter.
type level uint8

const (
	inRecord level = iota
	inIdentity
	inSession
	inIssuer
	inBehalf
	inAddendum
	inResource
	levels
)

// take is what a member may be. What it may not be sends the record to the strict path.
type take uint8

const (
	takeAny       take = iota
	takeRequest        // anything; its strings are looked at
	takeString         // or null
	takeIssuer         // the same, and whether it is a role that is asked for
	takeFlag           // a string or a bool, or null
	takeTime           // a string in CloudTrail's own form
	takeNeeded         // a string that is not empty
	takeSource         // the same, and whether its every record is asked for
	takeCategory       // eventCategory
	takeBool           // or null
	takeObject         // or null
	takeResources      // an array of objects, or null
)

// holes are the holes of values that are strings.
var holes = map[take]hole{takeRequest: holeLooked, takeIssuer: holeIssuer, takeNeeded: holeNeeded, takeTime: holeTime}

// member is a name that a level knows.
type member struct {
	name  string
	takes take
	inner level
	bit   uint32 // of a field of Record, to tell one that comes twice; 0 for the others
}

// The bits of the fields without which a record is none.
const (
	bitID uint32 = 1 << iota
	bitTime
	bitSource
	bitName
	needed   = bitID | bitTime | bitSource | bitName
	firstBit = bitName << 1
)

var members = [levels][]member{
	inRecord: {
		{name: "eventID", takes: takeNeeded, bit: bitID}, {name: "eventTime", takes: takeTime, bit: bitTime},
		{name: "eventSource", takes: takeSource, bit: bitSource}, {name: "eventName", takes: takeNeeded, bit: bitName},
		{name: "eventType", takes: takeString}, {name: "eventCategory", takes: takeCategory}, {name: "awsRegion", takes: takeString},
		{name: "readOnly", takes: takeFlag}, {name: "managementEvent", takes: takeBool}, {name: "errorCode", takes: takeString},
		{name: "errorMessage", takes: takeString}, {name: "userAgent", takes: takeString},
		{name: "userIdentity", takes: takeObject, inner: inIdentity}, {name: "requestParameters", takes: takeRequest}, {name: "responseElements"},
		{name: "resources", takes: takeResources}, {name: "addendum", takes: takeObject, inner: inAddendum},
	},
	inIdentity: {
		{name: "type", takes: takeString}, {name: "principalId", takes: takeString}, {name: "arn", takes: takeString},
		{name: "invokedBy", takes: takeString}, {name: "sessionContext", takes: takeObject, inner: inSession},
		{name: "onBehalfOf", takes: takeObject, inner: inBehalf},
	},
	inSession: {
		{name: "sessionIssuer", takes: takeObject, inner: inIssuer}, {name: "sourceIdentity", takes: takeString},
	},
	inIssuer:   {{name: "type", takes: takeString}, {name: "principalId", takes: takeString}, {name: "arn", takes: takeIssuer}},
	inBehalf:   {{name: "userId", takes: takeString}},
	inAddendum: {{name: "reason", takes: takeString}, {name: "originalEventID", takes: takeString}},
	inResource: {{name: "ARN", takes: takeString}, {name: "ARNPrefix", takes: takeString}},
}

// others are CloudTrail's names beside those: known to be no field in another case.
var others = [levels][]string{
	inRecord: {"eventVersion", "sourceIPAddress", "additionalEventData", "requestID", "apiVersion", "recipientAccountId", "serviceEventDetails",
		"sharedEventID", "vpcEndpointId", "vpcEndpointAccountId", "sessionCredentialFromConsole", "eventContext", "edgeDeviceDetails", "tlsDetails", "insightDetails"},
	inIdentity: {"accountId", "accessKeyId", "userName", "identityProvider", "inScopeOf", "credentialId", "identityStoreArn"},
	inSession:  {"attributes", "webIdFederationData", "ec2RoleDelivery", "assumedRoot"},
	inIssuer:   {"accountId", "userName"},
	inBehalf:   {"identityStoreArn"},
	inAddendum: {"updatedFields", "originalRequestID"},
	inResource: {"accountId", "type"},
}

// names finds a level's members by name: every name has a slot of its own. The first
// slot is of what no name has.
type names struct {
	slots  [256]entry
	factor uint64
}

// entry is a member in its slot, with the first and the last eight bytes of its name
// as numbers.
type entry struct {
	first, last uint64
	length, bit uint32
	takes       take
	inner       level
	hole        hole
	few         bool // its values are part of a shape: there are few of them
	name        string
}

func (n *names) find(first, last uint64, length uint32) *entry {
	return &n.slots[uint8((first^bits.RotateLeft64(last, 19)^uint64(length))*n.factor>>56)]
}

// ends gives the first and the last eight bytes of a name; of one of up to eight, the
// name twice. The text is padded on both sides of it.
func ends(text []byte, from, length uint32) (first, last uint64) {
	first = binary.LittleEndian.Uint64(text[from:])
	if length <= 8 {
		first &= 1<<(8*length&63) - 1 | -(uint64(length) >> 3)
		return first, first
	}
	return first, binary.LittleEndian.Uint64(text[from+length-8:])
}

var known = tables()

// tables looks for factors that give every name of a level a slot of its own.
func tables() *[levels]names {
	all := new([levels]names)
	for l := range levels {
		entries := make([]entry, 0, 64)
		bit := firstBit
		for _, m := range members[l] {
			if m.bit == 0 {
				m.bit = bit
				bit <<= 1
			}
			entries = append(entries, entry{name: m.name, takes: m.takes, inner: m.inner, bit: m.bit, hole: holes[m.takes]})
		}
		for _, name := range others[l] {
			entries = append(entries, entry{name: name})
		}
		for i := range entries {
			e := &entries[i]
			e.length = uint32(len(e.name))
			e.few = e.takes == takeSource || e.takes == takeCategory || e.name == "type" || e.name == "eventType" || e.name == "eventVersion"
			e.first, e.last = ends(append([]byte(e.name), make([]byte, 8)...), 0, e.length)
		}
		random := rand.New(rand.NewPCG(1, uint64(l)))
		for !all[l].fill(entries, random.Uint64()|1) {
		}
	}
	return all
}

func (n *names) fill(entries []entry, factor uint64) bool {
	*n = names{factor: factor}
	for i := range entries {
		slot := n.find(entries[i].first, entries[i].last, entries[i].length)
		if slot == &n.slots[0] || slot.name != "" {
			return false
		}
		*slot = entries[i]
	}
	return true
}

// mistakable reports whether encoding/json may take a name that no table has for a
// field: it compares without regard to case, beyond ASCII too.
func mistakable(c level, name []byte) bool {
	for _, b := range name {
		if b >= 0x80 {
			return true
		}
	}
fields:
	for i := range members[c] {
		field := members[c][i].name
		if len(field) != len(name) {
			continue
		}
		for j, b := range name {
			if b|0x20 != field[j]|0x20 {
				continue fields
			}
		}
		return true
	}
	return false
}
