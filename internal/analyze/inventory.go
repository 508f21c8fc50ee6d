package analyze

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// reachKind is a kind of resources that reach is counted over.
type reachKind struct {
	kind string
	// whole matches every resource of the kind; inside is added to a resource's ARN for
	// what is read and written in it.
	whole, inside string
	// held: the resources have policies of their own that are read.
	held bool
	// read and write are alternatives; each needs all its actions.
	read, write [][]string
}

// reachKinds are the questions of reach. A pull is BatchGetImage and
// GetDownloadUrlForLayer (AWS: AmazonECR logging-using-cloudtrail); PutImage alone moves a
// tag to an image whose layers are there (AWS: API_PutImage, image-retag). A data key is
// as good as an encryption (AWS: API_GenerateDataKey).
var reachKinds = []reachKind{
	{snapshot.KindBucket, "arn:{p}:s3:::*/*", "/*", true, [][]string{{"s3:GetObject"}}, [][]string{{"s3:PutObject"}}},
	{snapshot.KindRepository, "arn:{p}:ecr:*:{a}:repository/*", "", false, [][]string{{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}}, [][]string{{"ecr:PutImage"}}},
	{snapshot.KindKey, "arn:{p}:kms:*:{a}:key/*", "", true, [][]string{{"kms:Decrypt"}}, [][]string{{"kms:Encrypt"}, {"kms:GenerateDataKey"}}},
}

// inventory is the account's resources of one kind as far as they are known.
type inventory struct {
	reachKind
	// arns are sorted. holders are those whose own policy was read.
	arns, holders []string
	// why says what of the list is missing, nothing where it is whole.
	why []string

	mu     sync.Mutex
	shapes map[string][]uint32 // see shapesOf
	texts  map[string]uint32
}

// alike sorts the resources by what a role's policies can tell of them, where they are
// many: those that an entry of a policy names are by themselves, and of the rest all with
// the same relation to every entry are alike. It gives one of each kind, and how many it
// stands for.
func (v *inventory) alike(arns []string, entries []string) map[string]int {
	out := map[string]int{}
	if len(arns) <= mostSingle {
		for _, arn := range arns {
			out[arn] = 1
		}
		return out
	}
	single := map[string]bool{}
	var wild [][]uint32
	for _, e := range entries {
		if strings.Contains(e, "$") {
			for _, arn := range arns {
				out[arn] = 1
			}
			return out
		}
		if strings.Trim(e, "*") == "" {
			continue // every resource alike
		}
		if few := v.among([]string{e}); len(few) <= mostSingle {
			for _, arn := range few {
				single[arn] = true
			}
			continue
		}
		wild = append(wild, v.shapesOf(e))
	}
	first := map[string]string{}
	key := make([]byte, 0, 4*len(wild))
	for _, arn := range arns {
		if single[arn] {
			out[arn] = 1
			continue
		}
		i, _ := slices.BinarySearch(v.arns, arn)
		key = key[:0]
		for _, w := range wild {
			key = binary.LittleEndian.AppendUint32(key, w[i])
		}
		same, known := first[string(key)]
		if !known {
			same = arn
			first[string(key)] = arn
		}
		out[same]++
	}
	return out
}

// mostSingle is how many resources are asked about one by one without a thought.
const mostSingle = 64

// shapesOf numbers, for each resource, what of it an entry of a policy matches, with the
// resource's own name taken out.
func (v *inventory) shapesOf(entry string) []uint32 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s, ok := v.shapes[entry]; ok {
		return s
	}
	if v.shapes == nil || len(v.shapes) > mostShapes {
		v.shapes, v.texts = map[string][]uint32{}, map[string]uint32{}
	}
	out := make([]uint32, len(v.arns))
	for i, arn := range v.arns {
		both, exact := policy.Intersect(entry, arn+v.inside)
		text := strings.ReplaceAll(strings.Join(both, "\x00"), arn, "\x01")
		if !exact {
			text = arn // like no other
		}
		id, known := v.texts[text]
		if !known {
			id = uint32(len(v.texts))
			v.texts[text] = id
		}
		out[i] = id
	}
	v.shapes[entry] = out
	return out
}

// mostShapes bounds the entries that are remembered.
const mostShapes = 1000

// inventories are those of the snapshot, one a kind, in the order of reachKinds. Where a
// list is missing, the resources whose policies were read stand in.
func (a *audit) inventories() []*inventory {
	out := make([]*inventory, len(reachKinds))
	for k, kind := range reachKinds {
		kind.whole = a.place.fill(kind.whole)
		v := &inventory{reachKind: kind}
		listed := map[string]bool{}
		for i := range a.snapshot.Inventory {
			l := &a.snapshot.Inventory[i]
			if l.Kind != kind.kind {
				continue
			}
			listed[l.Region] = true
			v.arns = append(v.arns, l.ARNs...)
			if l.Cut {
				v.why = append(v.why, "the list of "+snapshot.Plural(kind.kind)+in(l.Region)+" was cut")
			}
		}
		regions := a.snapshot.Regions.Read
		if kind.kind == snapshot.KindBucket {
			regions = []string{""}
		}
		for _, region := range regions {
			if !listed[region] {
				v.why = append(v.why, "the account's "+snapshot.Plural(kind.kind)+in(region)+" could not be listed")
			}
		}
		if kind.kind != snapshot.KindBucket {
			if unread := a.unreadRegions(); unread != "" {
				v.why = append(v.why, unread)
			}
		}
		if len(v.why) > 0 {
			for i := range a.snapshot.Resources {
				if arn := a.snapshot.Resources[i].ARN; v.holds(arn) {
					v.arns = append(v.arns, arn)
				}
			}
		}
		slices.Sort(v.arns)
		v.arns = slices.Compact(v.arns)
		for _, arn := range v.arns {
			if p := a.library.resources[arn]; p != nil {
				v.holders = append(v.holders, arn)
			}
		}
		out[k] = v
	}
	return out
}

func in(region string) string {
	if region == "" {
		return ""
	}
	return " in " + region
}

// unreadRegions says which regions were not looked into.
func (a *audit) unreadRegions() string {
	r := &a.snapshot.Regions
	if len(r.Enabled) == 0 {
		return "the account's regions could not be listed"
	}
	unread := 0
	for _, region := range r.Enabled {
		if !slices.Contains(r.Read, region) {
			unread++
		}
	}
	if unread == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d enabled regions were not read", unread, len(r.Enabled))
}

// holds reports whether an ARN is a resource of this kind, and the account's as far as the
// ARN tells.
func (v *inventory) holds(arn string) bool {
	if v.kind == snapshot.KindBucket {
		arn += "/x"
	}
	return policy.MatchResource(v.whole, arn, policy.Must)
}

// fill writes the partition and the account into a pattern.
func (p place) fill(pattern string) string {
	return strings.NewReplacer("{p}", p.partition, "{a}", p.account).Replace(pattern)
}

// among are the resources that one of the patterns may speak of, sorted: a pattern names
// the beginning of its ARNs up to its first wildcard. Whether it does the engine says.
func (v *inventory) among(patterns []string) []string {
	var out []string
	for _, p := range patterns {
		lit := p
		if i := strings.IndexAny(p, "*?$"); i >= 0 {
			lit = p[:i]
		}
		if wildBeginning(lit) {
			return v.arns
		}
		if v.inside != "" { // what is in a bucket: its ARN goes up to the slash
			if bucket, _, ok := strings.Cut(lit, "/"); ok {
				lit = bucket
				if _, found := slices.BinarySearch(v.arns, lit); found {
					out = append(out, lit)
				}
				continue
			}
		}
		from, _ := slices.BinarySearch(v.arns, lit)
		for ; from < len(v.arns) && strings.HasPrefix(v.arns[from], lit); from++ {
			out = append(out, v.arns[from])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// wildBeginning reports whether a pattern's text before its first wildcard ends before the
// last segment of an ARN: then it may mean any region or account.
func wildBeginning(lit string) bool { return strings.Count(lit, ":") < 5 }
