package awssim

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"
)

const (
	// filePeriod is how much time one log file holds here. AWS delivers about every five minutes (AWS:
	// how-cloudtrail-works): an account of three months would have a hundred thousand files.
	filePeriod = 4 * time.Hour
	// deliveryTime is how long after its period a file comes (AWS: get-and-view-cloudtrail-log-files, 5 minutes on
	// average). So the last calls of a day lie in the folder of the next.
	deliveryTime = 5 * time.Minute
)

// object is one object of a bucket, as ListObjectsV2 and GetObject show it.
type object struct {
	key      string
	body     string
	modified time.Time
	encoding string // Content-Encoding
	kmsKey   string // the ARN of the key it is encrypted with, empty for SSE-S3
	etagged  string // the ETag of the whole, of a part of it
}

func (o *object) etag() string {
	if o.etagged != "" {
		return o.etagged
	}
	h := fnv.New128a()
	h.Write([]byte(o.body))
	return fmt.Sprintf("%q", fmt.Sprintf("%x", h.Sum(nil)))
}

// organizationID is that of every organization trail.
const organizationID = "o-exampleorgid"

// logFolder is where the log files of this account begin (AWS: get-and-view-cloudtrail-log-files).
func (a *Account) logFolder(t *Trail) string {
	folder := "AWSLogs/"
	if t.Organization {
		folder += organizationID + "/"
	}
	if t.KeyPrefix != "" {
		folder = t.KeyPrefix + "/" + folder
	}
	return folder + a.ID + "/"
}

// logBucket is the bucket that a trail delivers to.
func (a *Account) logBucket(t *Trail) string {
	return cmp.Or(t.Bucket, "aws-cloudtrail-logs-"+cmp.Or(t.Owner, a.ID))
}

// logFiles are the objects that a trail has delivered: the log files, and in each of its regions a digest file a day,
// which is no log file.
func (a *Account) logFiles(t *Trail) []object {
	type place struct {
		region string
		period time.Time
	}
	from, to := t.recording(a.Now)
	records := make(map[place][]string)
	regions := make(map[string]bool)
	for i := range a.Events {
		r := &a.Events[i]
		if r.EventTime.Before(from) || r.EventTime.After(to) || !t.records(a, r) {
			continue
		}
		text, err := r.text(a, r.id(i))
		if err != nil {
			panic(err) // records are our own plain structs
		}
		at := place{r.AWSRegion, r.EventTime.UTC().Truncate(filePeriod)}
		records[at] = append(records[at], text)
		regions[r.AWSRegion] = true
	}
	var files []object
	add := func(kind, region string, at time.Time, name, text string) {
		files = append(files, object{
			key:  fmt.Sprintf("%s%s/%s/%s/%s_%s_%s_%s", a.logFolder(t), kind, region, at.Format("2006/01/02"), a.ID, kind, region, name),
			body: zipped(text), modified: at, encoding: "gzip", kmsKey: t.KMSKey,
		})
	}
	for at, texts := range records {
		when := at.period.Add(filePeriod + deliveryTime)
		if when.After(a.Now) {
			when = a.Now.UTC()
		}
		mark := uniqueID("", fmt.Sprint(t.Name, at.region, at.period.Unix()))[:16]
		add("CloudTrail", at.region, when, when.Format("20060102T1504Z_")+mark+".json.gz", `{"Records":[`+strings.Join(texts, ",")+`]}`)
	}
	for region := range regions {
		when := a.Now.UTC().Truncate(24 * time.Hour)
		add("CloudTrail-Digest", region, when, t.Name+"_"+t.homeRegion()+when.Format("_20060102T150405Z.json.gz"), `{"digestS3Object":"none"}`)
	}
	return files
}

// zipped is a text as gzip has it.
func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text)) //nolint:errcheck // memory
	z.Close()             //nolint:errcheck // memory
	return b.String()
}

// recording is the time whose calls a trail has delivered.
func (t *Trail) recording(now time.Time) (from, to time.Time) {
	from, to = t.StartedAt, now.Add(-deliveryTime)
	if t.SelectedAt.After(from) {
		from = t.SelectedAt
	}
	if t.Stopped && t.StoppedAt.Before(to) {
		to = t.StoppedAt
	}
	if t.DeliveryError != "" && t.DeliveredAt.Before(to) {
		to = t.DeliveredAt
	}
	return from, to
}

// records says whether a trail's selectors let a record through.
func (t *Trail) records(a *Account, r *Record) bool {
	if !t.MultiRegion && r.AWSRegion != t.homeRegion() {
		return false
	}
	if _, ok := t.Undelivered[r.AWSRegion]; ok {
		return false
	}
	if t.NoGlobalEvents && (r.EventSource == "iam.amazonaws.com" || r.EventSource == "sts.amazonaws.com") && r.AWSRegion == "us-east-1" {
		return false
	}
	if len(t.Advanced) > 0 {
		return slices.ContainsFunc(t.Advanced, func(s AdvancedEventSelector) bool { return s.records(r) })
	}
	selectors := t.Selectors
	if len(selectors) == 0 {
		selectors = []EventSelector{{}}
	}
	return slices.ContainsFunc(selectors, func(s EventSelector) bool { return s.records(r) })
}

// records: AWS API_EventSelector, API_DataResource.
func (s EventSelector) records(r *Record) bool {
	if s.ReadWriteType == "ReadOnly" && !r.ReadOnly || s.ReadWriteType == "WriteOnly" && r.ReadOnly {
		return false
	}
	if r.category() == "Management" {
		return !s.NoManagementEvents && !slices.Contains(s.ExcludeManagementEventSources, r.EventSource)
	}
	for _, d := range s.DataResources {
		for _, res := range r.Resources {
			if res.Type != d.Type {
				continue
			}
			for _, value := range d.Values {
				if strings.HasPrefix(cmp.Or(res.ARN, res.ARNPrefix), value) {
					return r.category() == "Data"
				}
			}
		}
	}
	return false
}

// records: AWS API_AdvancedFieldSelector. The type and the ARN must be those of one and the same resource.
func (s AdvancedEventSelector) records(r *Record) bool {
	resources := r.Resources
	if len(resources) == 0 {
		resources = []ResourceARN{{}}
	}
	return slices.ContainsFunc(resources, func(res ResourceARN) bool {
		return !slices.ContainsFunc(s.FieldSelectors, func(f FieldSelector) bool {
			switch f.Field {
			case "eventCategory":
				return !f.selects(r.category())
			case "readOnly":
				return !f.selects(fmt.Sprint(r.ReadOnly))
			case "eventSource":
				return !f.selects(r.EventSource)
			case "eventName":
				return !f.selects(r.EventName)
			case "resources.type":
				return !f.selects(res.Type)
			case "resources.ARN":
				return !f.selects(cmp.Or(res.ARN, res.ARNPrefix))
			}
			return true // a field that this loopback AWS does not know lets nothing through
		})
	})
}

// selects says whether a value meets every operator: one of the values of a positive one, none of a negative one.
func (f FieldSelector) selects(value string) bool {
	is := func(x string) bool { return value == x }
	begins := func(x string) bool { return strings.HasPrefix(value, x) }
	ends := func(x string) bool { return strings.HasSuffix(value, x) }
	return (len(f.Equals) == 0 || slices.ContainsFunc(f.Equals, is)) && !slices.ContainsFunc(f.NotEquals, is) &&
		(len(f.StartsWith) == 0 || slices.ContainsFunc(f.StartsWith, begins)) && !slices.ContainsFunc(f.NotStartsWith, begins) &&
		(len(f.EndsWith) == 0 || slices.ContainsFunc(f.EndsWith, ends)) && !slices.ContainsFunc(f.NotEndsWith, ends)
}

func (r *Record) category() string { return cmp.Or(r.EventCategory, "Management") }

// id is the record's own id, or that of its place in Account.Events.
func (r *Record) id(place int) string {
	if r.EventID != "" {
		return r.EventID
	}
	return uuid(fmt.Sprint("event", place))
}

// objectsOf are a bucket's objects by key: its own, and what trails deliver to it.
func (x *index) objectsOf(b *Bucket) []object {
	x.mu.Lock()
	defer x.mu.Unlock()
	if objects, ok := x.objects[b.Name]; ok {
		return objects
	}
	var objects []object
	for key, body := range b.Objects {
		objects = append(objects, object{key: key, body: body, modified: x.account.Now.Add(-time.Hour), kmsKey: b.KMSKey})
	}
	for i := range x.account.Trails {
		if t := &x.account.Trails[i]; x.account.logBucket(t) == b.Name {
			objects = append(objects, x.account.logFiles(t)...)
		}
	}
	// What the bucket itself holds stands before what a trail delivers: so a test puts a broken file in its place.
	slices.SortStableFunc(objects, func(p, q object) int { return strings.Compare(p.key, q.key) })
	objects = slices.CompactFunc(objects, func(p, q object) bool { return p.key == q.key })
	x.objects[b.Name] = objects
	return objects
}

// LogFiles gives the log files that a trail has delivered, by key: to be copied into a folder.
func (a *Account) LogFiles(t *Trail) map[string]string {
	files := make(map[string]string)
	for _, o := range a.logFiles(t) {
		files[o.key] = o.body
	}
	return files
}
