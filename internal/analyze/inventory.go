package analyze

import (
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// reachKind is a kind of resources that reach is counted over.
type reachKind struct {
	kind string
	// whole matches every resource of the kind; inside is added to a resource's ARN for
	// what is read and written in it.
	whole, inside string
	// read and write are alternatives; each needs all its actions.
	read, write [][]string
}

// reachKinds are the questions of reach. A pull is BatchGetImage and
// GetDownloadUrlForLayer (AWS: AmazonECR logging-using-cloudtrail); PutImage alone moves a
// tag to an image whose layers are there (AWS: API_PutImage, image-retag). A data key is
// as good as an encryption (AWS: API_GenerateDataKey).
var reachKinds = []reachKind{
	{snapshot.KindBucket, "arn:{p}:s3:::*/*", "/*", [][]string{{"s3:GetObject"}}, [][]string{{"s3:PutObject"}}},
	{snapshot.KindRepository, "arn:{p}:ecr:*:{a}:repository/*", "", [][]string{{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}}, [][]string{{"ecr:PutImage"}}},
	{snapshot.KindKey, "arn:{p}:kms:*:{a}:key/*", "", [][]string{{"kms:Decrypt"}}, [][]string{{"kms:Encrypt"}, {"kms:GenerateDataKey"}}},
}

// inventory is the account's resources of one kind as far as they are known.
type inventory struct {
	reachKind
	// arns are sorted. holders are those whose own policy was read.
	arns, holders []string
	// why says what of the list is missing, nothing where it is whole.
	why []string
}

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
