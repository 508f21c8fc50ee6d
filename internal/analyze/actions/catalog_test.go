package actions

import (
	"cmp"
	"slices"
	"strings"
	"testing"
)

// TestCatalogFloor: AWS's reference grows; a smaller one is a broken one.
func TestCatalogFloor(t *testing.T) {
	c := Load()
	services := map[string]int{}
	permissionOnly, unknown, passing := 0, 0, 0
	for i := range c.Len() {
		services[c.Service(i)]++
		only, known := c.PermissionOnly(i)
		if only {
			permissionOnly++
		}
		if !known {
			unknown++
		}
		if c.PassesRole(i) {
			passing++
		}
	}
	for _, f := range []struct {
		what      string
		got, want int
	}{
		{"actions", c.Len(), 22000},
		{"services", len(services), 450},
		{"permission-only actions", permissionOnly, 1200},
		{"actions with their permission-only mark known", c.Len() - unknown, 19500},
		{"actions that pass a role", passing, 200},
	} {
		if f.got < f.want {
			t.Errorf("%d %s, want at least %d", f.got, f.what, f.want)
		}
	}
	if c.Version() == "iam-data " || c.MarksVersion() == "iam-data " || c.Date().Year() < 2026 {
		t.Errorf("version %q, marks %q, date %v", c.Version(), c.MarksVersion(), c.Date())
	}
}

func TestCatalogOrder(t *testing.T) {
	c := Load()
	for i := 1; i < c.Len(); i++ {
		if a, b := strings.ToLower(c.Action(i-1)), strings.ToLower(c.Action(i)); cmp.Compare(a, b) >= 0 {
			t.Fatalf("%q before %q", a, b)
		}
	}
}

func TestCatalogKnownActions(t *testing.T) {
	c := Load()
	for _, tt := range []struct {
		action       string
		level        string
		resourceless bool
		only         bool
		types        string
	}{
		{action: "s3:GetObject", level: "Read", types: "accesspointobject object"},
		{action: "s3:PutObject", level: "Write", types: "accesspointobject object"},
		{action: "s3:ListAllMyBuckets", level: "List", resourceless: true},
		{action: "s3:PutBucketPolicy", level: "Permissions management, Write", types: "bucket*"},
		{action: "s3:PutObjectTagging", level: "Tagging, Write", types: "accesspointobject object"},
		{action: "ecr:GetAuthorizationToken", level: "Read", resourceless: true},
		{action: "ecr:BatchGetImage", level: "Read", types: "repository*"},
		{action: "logs:PutLogEvents", level: "Write", types: "log-stream*"},
		{action: "logs:CreateLogGroup", level: "Write", types: "log-group*"},
		{action: "cloudwatch:PutMetricData", level: "Write"},
		{action: "kms:Decrypt", level: "Write", types: "key*"},
		{action: "sagemaker:CreateTrainingJob", level: "Write", types: "reserved-capacity training-job* training-plan"},
		{action: "sagemaker:Search", level: "Read", resourceless: true},
		{action: "iam:PassRole", level: "Write", only: true, types: "role*"},
		{action: "sts:TagSession", level: "Tagging, Write", only: true},
		{action: "bedrock:RenderPrompt", level: "Read", only: true},
	} {
		t.Run(tt.action, func(t *testing.T) {
			i, ok := c.Index(tt.action)
			if !ok {
				t.Fatal("not in the catalogue")
			}
			if got := c.Action(i); got != tt.action {
				t.Errorf("Action(%d) = %q", i, got)
			}
			if got := c.AccessLevel(i); got != tt.level {
				t.Errorf("level %q, want %q", got, tt.level)
			}
			if tt.resourceless != (tt.types == "" && c.Resourceless(i)) {
				t.Errorf("resourceless %v, want %v", c.Resourceless(i), tt.resourceless)
			}
			if only, known := c.PermissionOnly(i); only != tt.only || !known {
				t.Errorf("permission only %v (known %v), want %v", only, known, tt.only)
			}
			var types []string
			for _, rt := range c.ResourceTypes(i) {
				name := rt.Name
				if rt.Required {
					name += "*"
				}
				types = append(types, name)
			}
			if tt.types != "" && strings.Join(types, " ") != tt.types {
				t.Errorf("types %q, want %q", types, tt.types)
			}
		})
	}
}

func TestCatalogResourceTypes(t *testing.T) {
	c := Load()
	i, _ := c.Index("ecr:BatchGetImage")
	want := []ResourceType{{Name: "repository", ARN: "arn:${Partition}:ecr:${Region}:${Account}:repository/${RepositoryName}", Required: true}}
	if got := c.ResourceTypes(i); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for i := range c.Len() {
		types := c.ResourceTypes(i)
		if (len(types) == 0) != c.Resourceless(i) {
			t.Errorf("%s: %d types, resourceless %v", c.Action(i), len(types), c.Resourceless(i))
		}
		for _, rt := range types {
			if rt.Name == "" || !strings.HasPrefix(rt.ARN, "arn:") {
				t.Errorf("%s: %+v", c.Action(i), rt)
			}
		}
	}
}

func TestCatalogLevels(t *testing.T) {
	c := Load()
	for i := range c.Len() {
		if !c.IsReadOnly(i) && !strings.HasSuffix(c.AccessLevel(i), "Write") {
			t.Fatalf("%s: level %q is neither read nor write", c.Action(i), c.AccessLevel(i))
		}
		if c.IsReadOnly(i) && (c.IsTagging(i) || c.IsPermissionsManagement(i)) {
			t.Fatalf("%s: level %q", c.Action(i), c.AccessLevel(i))
		}
	}
	put, _ := c.Index("s3:PutBucketPolicy")
	tag, _ := c.Index("s3:PutObjectTagging")
	if !c.IsPermissionsManagement(put) || c.IsTagging(put) || !c.IsTagging(tag) || c.IsPermissionsManagement(tag) {
		t.Error("joined access levels are not told apart")
	}
}

func TestCatalogIndex(t *testing.T) {
	c := Load()
	for i := range c.Len() {
		if j, ok := c.Index(strings.ToUpper(c.Action(i))); !ok || i != j {
			t.Fatalf("Index(%q) = %d, %v; want %d", strings.ToUpper(c.Action(i)), j, ok, i)
		}
	}
	// U+212A, KELVIN SIGN, folds to k in Unicode; IAM's names are ASCII.
	for _, no := range []string{"", "s3", "s3:", ":", "s3:GetObjec", "s3:GetObjectX", "s3:HeadObject", "\u212Ams:Decrypt", "zzz:Zzz", "s3:Get*"} {
		if i, ok := c.Index(no); ok {
			t.Errorf("Index(%q) found %s", no, c.Action(i))
		}
	}
}

func TestDecodeRejects(t *testing.T) {
	if _, err := decode([]byte("no gzip")); err == nil {
		t.Error("no error")
	}
	if _, err := decode(catalogFile[:len(catalogFile)/2]); err == nil {
		t.Error("truncated: no error")
	}
}

func FuzzIndex(f *testing.F) {
	for _, s := range []string{"s3:GetObject", "S3:getobject", "", ":", "a:b:c", "s3:\xff"} {
		f.Add(s)
	}
	c := Load()
	f.Fuzz(func(t *testing.T, s string) {
		i, ok := c.Index(s)
		if ok && !strings.EqualFold(c.Action(i), s) {
			t.Fatalf("Index(%q) = %q", s, c.Action(i))
		}
		if !ok && slices.ContainsFunc(c.actions, func(e entry) bool { return e.name == s }) {
			t.Fatalf("Index(%q) finds nothing", s)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(catalogFile); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIndex(b *testing.B) {
	c := Load()
	for b.Loop() {
		c.Index("sagemaker:createTrainingJob")
	}
}
