package awssim

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The shapes of IAM's answers (AWS: API_RoleDetail, API_Role, API_ManagedPolicyDetail, API_Policy ...).
type (
	iamRoleDetail struct {
		Path                     string
		RoleName                 string
		RoleID                   string `xml:"RoleId"`
		ARN                      string `xml:"Arn"`
		CreateDate               string
		AssumeRolePolicyDocument string
		RolePolicyList           []iamInlinePolicy   `xml:"RolePolicyList>member"`
		AttachedManagedPolicies  []iamAttachedPolicy `xml:"AttachedManagedPolicies>member"`
		PermissionsBoundary      *iamBoundary        `xml:",omitempty"`
		Tags                     []Tag               `xml:"Tags>member"`
		RoleLastUsed             iamLastUsed
	}
	// iamRole is a role of GetRole; ListRoles leaves the last three out (AWS: API_ListRoles).
	iamRole struct {
		Path                     string
		RoleName                 string
		RoleID                   string `xml:"RoleId"`
		ARN                      string `xml:"Arn"`
		CreateDate               string
		AssumeRolePolicyDocument string
		Description              string `xml:",omitempty"`
		MaxSessionDuration       int
		PermissionsBoundary      *iamBoundary `xml:",omitempty"`
		Tags                     []Tag        `xml:"Tags>member"`
		RoleLastUsed             *iamLastUsed `xml:",omitempty"`
	}
	iamInlinePolicy struct {
		PolicyName     string
		PolicyDocument string
	}
	iamAttachedPolicy struct {
		PolicyName string
		PolicyARN  string `xml:"PolicyArn"`
	}
	iamBoundary struct {
		Type string `xml:"PermissionsBoundaryType"`
		ARN  string `xml:"PermissionsBoundaryArn"`
	}
	iamLastUsed struct {
		LastUsedDate string `xml:",omitempty"`
		Region       string `xml:",omitempty"`
	}
	iamPolicy struct {
		PolicyName                    string
		PolicyID                      string `xml:"PolicyId"`
		ARN                           string `xml:"Arn"`
		Path                          string
		DefaultVersionID              string `xml:"DefaultVersionId"`
		AttachmentCount               int
		PermissionsBoundaryUsageCount int
		IsAttachable                  bool
		Description                   string `xml:",omitempty"`
		CreateDate                    string `xml:",omitempty"`
		UpdateDate                    string `xml:",omitempty"`
	}
	iamPolicyDetail struct {
		iamPolicy
		PolicyVersionList []iamPolicyVersion `xml:"PolicyVersionList>member"`
	}
	iamPolicyVersion struct {
		Document         string
		VersionID        string `xml:"VersionId"`
		IsDefaultVersion bool
		CreateDate       string `xml:",omitempty"`
	}
	iamPage struct {
		IsTruncated bool
		Marker      string `xml:",omitempty"`
	}
)

func (x *index) role(name string) (*Role, error) {
	if r := x.roleOf[name]; r != nil {
		return r, nil
	}
	return nil, noSuchEntity("The role with name %s cannot be found.", name)
}

func (x *index) policy(arn string) (*ManagedPolicy, error) {
	if p := x.policyOf[arn]; p != nil {
		return p, nil
	}
	return nil, noSuchEntity("Policy %s was not found.", arn)
}

func noSuchEntity(format string, args ...any) error {
	return &apiError{http.StatusNotFound, "NoSuchEntity", fmt.Sprintf(format, args...)}
}

func roleResource(c *call) string {
	name := c.form.Get("RoleName")
	if r := c.index.roleOf[name]; r != nil {
		return c.account.RoleARN(r)
	}
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", c.account.partition(), c.account.ID, name)
}

func rolesResource(c *call) string {
	return fmt.Sprintf("arn:%s:iam::%s:role%s", c.account.partition(), c.account.ID, cmp.Or(c.form.Get("PathPrefix"), "/"))
}

func policyResource(c *call) string { return c.form.Get("PolicyArn") }

// iamPage finds the page a request asks for by MaxItems and Marker.
func (c *call) iamPage(total int, parameters ...any) (page, iamPage, error) {
	const usual, largest = 100, 1000
	size := usual
	if text := c.form.Get("MaxItems"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > largest {
			return page{}, iamPage{}, query.invalid("1 validation error detected: Value '%s' at 'maxItems' failed to satisfy constraint: Member must be from 1 to %d", text, largest)
		}
		size = n
	}
	p, err := c.page(total, size, c.form.Get("Marker"), parameters...)
	return p, iamPage{IsTruncated: p.next != "", Marker: p.next}, err
}

// members reads the list Filter.member.1, Filter.member.2 ... of a form.
func (c *call) members(list string) []string {
	var values []string
	for i := 1; ; i++ {
		value := c.form.Get(list + ".member." + strconv.Itoa(i))
		if value == "" {
			return values
		}
		values = append(values, value)
	}
}

// authorizationDetails is the answer of GetAccountAuthorizationDetails. The account has no users and no groups.
type authorizationDetails struct {
	RoleDetailList []iamRoleDetail   `xml:"RoleDetailList>member"`
	Policies       []iamPolicyDetail `xml:"Policies>member"`
	iamPage
}

var entityTypes = []string{"User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"}

// getAccountAuthorizationDetails sweeps the account: one Marker walks roles, then policies. AWS managed policies
// come only when they are attached to something: one that is a boundary only is left out, the case that asks more
// of a client (AWS documents neither).
func getAccountAuthorizationDetails(c *call) (any, error) {
	filter := c.members("Filter")
	for _, kind := range filter {
		if !slices.Contains(entityTypes, kind) {
			return nil, query.invalid("1 validation error detected: Value '[%s]' at 'filter' failed to satisfy constraint: Member must satisfy enum value set: [%s]",
				kind, strings.Join(entityTypes, ", "))
		}
	}
	wanted := func(kind string) bool { return len(filter) == 0 || slices.Contains(filter, kind) }

	var walk []any
	if wanted("Role") {
		for _, r := range c.index.roles {
			walk = append(walk, r)
		}
	}
	for _, p := range c.index.policies {
		if p.awsManaged() && wanted("AWSManagedPolicy") && c.index.attached[p.ARN] > 0 || !p.awsManaged() && wanted("LocalManagedPolicy") {
			walk = append(walk, p)
		}
	}
	p, marker, err := c.iamPage(len(walk), filter)
	if err != nil {
		return nil, err
	}
	out := authorizationDetails{iamPage: marker}
	for _, entity := range walk[p.from:p.to] {
		switch entity := entity.(type) {
		case *Role:
			out.RoleDetailList = append(out.RoleDetailList, c.roleDetail(entity))
		case *ManagedPolicy:
			out.Policies = append(out.Policies, c.policyDetail(entity))
		}
	}
	disorder(c, out.RoleDetailList)
	disorder(c, out.Policies)
	return out, nil
}

func (c *call) roleDetail(r *Role) iamRoleDetail {
	d := iamRoleDetail{
		Path:                     r.path(),
		RoleName:                 r.Name,
		RoleID:                   r.UniqueID(),
		ARN:                      c.account.RoleARN(r),
		CreateDate:               iso(r.CreateDate),
		AssumeRolePolicyDocument: percentEncoded(r.Trust),
		AttachedManagedPolicies:  attachedPolicies(r),
		PermissionsBoundary:      boundary(r),
		Tags:                     slices.Clone(r.Tags),
		RoleLastUsed:             iamLastUsed{iso(r.LastUsed.Date), r.LastUsed.Region},
	}
	for _, p := range r.Inline {
		d.RolePolicyList = append(d.RolePolicyList, iamInlinePolicy{p.Name, percentEncoded(p.Document)})
	}
	disorder(c, d.RolePolicyList)
	disorder(c, d.AttachedManagedPolicies)
	disorder(c, d.Tags)
	return d
}

func attachedPolicies(r *Role) []iamAttachedPolicy {
	var attached []iamAttachedPolicy
	for _, arn := range r.Attached {
		attached = append(attached, iamAttachedPolicy{(&ManagedPolicy{ARN: arn}).name(), arn})
	}
	return attached
}

func boundary(r *Role) *iamBoundary {
	if r.Boundary == "" {
		return nil
	}
	return &iamBoundary{"Policy", r.Boundary} // AWS: API_AttachedPermissionsBoundary; the SDKs' enum spells it otherwise
}

func (c *call) policyDetail(p *ManagedPolicy) iamPolicyDetail {
	d := iamPolicyDetail{iamPolicy: c.policySummary(p)}
	for i := range p.Versions {
		d.PolicyVersionList = append(d.PolicyVersionList, policyVersion(p, &p.Versions[i]))
	}
	disorder(c, d.PolicyVersionList)
	return d
}

func (c *call) policySummary(p *ManagedPolicy) iamPolicy {
	return iamPolicy{
		PolicyName:                    p.name(),
		PolicyID:                      p.uniqueID(),
		ARN:                           p.ARN,
		Path:                          p.path(),
		DefaultVersionID:              p.defaultVersion(),
		AttachmentCount:               c.index.attached[p.ARN],
		PermissionsBoundaryUsageCount: c.index.bounds[p.ARN],
		IsAttachable:                  true,
		Description:                   p.Description,
		CreateDate:                    iso(p.CreateDate),
		UpdateDate:                    iso(cmp.Or(p.UpdateDate, p.CreateDate)),
	}
}

func policyVersion(p *ManagedPolicy, v *PolicyVersion) iamPolicyVersion {
	return iamPolicyVersion{percentEncoded(v.Document), v.ID, v.ID == p.defaultVersion(), iso(v.CreateDate)}
}

func (c *call) roleSummary(r *Role) iamRole {
	return iamRole{
		Path:                     r.path(),
		RoleName:                 r.Name,
		RoleID:                   r.UniqueID(),
		ARN:                      c.account.RoleARN(r),
		CreateDate:               iso(r.CreateDate),
		AssumeRolePolicyDocument: percentEncoded(r.Trust),
		Description:              r.Description,
		MaxSessionDuration:       cmp.Or(r.MaxSessionDuration, 3600),
	}
}

func getRole(c *call) (any, error) {
	r, err := c.index.role(c.form.Get("RoleName"))
	if err != nil {
		return nil, err
	}
	role := c.roleSummary(r)
	role.PermissionsBoundary = boundary(r)
	role.Tags = r.Tags
	role.RoleLastUsed = &iamLastUsed{iso(r.LastUsed.Date), r.LastUsed.Region}
	return struct{ Role iamRole }{role}, nil
}

func listRoles(c *call) (any, error) {
	prefix := cmp.Or(c.form.Get("PathPrefix"), "/")
	var all []*Role
	for _, r := range c.index.roles {
		if strings.HasPrefix(r.path(), prefix) {
			all = append(all, r)
		}
	}
	p, marker, err := c.iamPage(len(all), prefix)
	if err != nil {
		return nil, err
	}
	out := struct {
		Roles []iamRole `xml:"Roles>member"`
		iamPage
	}{iamPage: marker}
	for _, r := range all[p.from:p.to] {
		out.Roles = append(out.Roles, c.roleSummary(r))
	}
	disorder(c, out.Roles)
	return out, nil
}

func listAttachedRolePolicies(c *call) (any, error) {
	r, err := c.index.role(c.form.Get("RoleName"))
	if err != nil {
		return nil, err
	}
	all := attachedPolicies(r)
	p, marker, err := c.iamPage(len(all), r.Name)
	if err != nil {
		return nil, err
	}
	out := struct {
		AttachedPolicies []iamAttachedPolicy `xml:"AttachedPolicies>member"`
		iamPage
	}{all[p.from:p.to], marker}
	disorder(c, out.AttachedPolicies)
	return out, nil
}

func listRolePolicies(c *call) (any, error) {
	r, err := c.index.role(c.form.Get("RoleName"))
	if err != nil {
		return nil, err
	}
	p, marker, err := c.iamPage(len(r.Inline), r.Name)
	if err != nil {
		return nil, err
	}
	out := struct {
		PolicyNames []string `xml:"PolicyNames>member"`
		iamPage
	}{iamPage: marker}
	for _, policy := range r.Inline[p.from:p.to] {
		out.PolicyNames = append(out.PolicyNames, policy.Name)
	}
	disorder(c, out.PolicyNames)
	return out, nil
}

func getRolePolicy(c *call) (any, error) {
	r, err := c.index.role(c.form.Get("RoleName"))
	if err != nil {
		return nil, err
	}
	name := c.form.Get("PolicyName")
	for _, policy := range r.Inline {
		if policy.Name == name {
			return struct {
				RoleName string
				iamInlinePolicy
			}{r.Name, iamInlinePolicy{policy.Name, percentEncoded(policy.Document)}}, nil
		}
	}
	return nil, noSuchEntity("The role policy with name %s cannot be found.", name)
}

func listRoleTags(c *call) (any, error) {
	r, err := c.index.role(c.form.Get("RoleName"))
	if err != nil {
		return nil, err
	}
	p, marker, err := c.iamPage(len(r.Tags), r.Name)
	if err != nil {
		return nil, err
	}
	out := struct {
		Tags []Tag `xml:"Tags>member"`
		iamPage
	}{slices.Clone(r.Tags[p.from:p.to]), marker}
	disorder(c, out.Tags)
	return out, nil
}

func getPolicy(c *call) (any, error) {
	p, err := c.index.policy(c.form.Get("PolicyArn"))
	if err != nil {
		return nil, err
	}
	return struct{ Policy iamPolicy }{c.policySummary(p)}, nil
}

func getPolicyVersion(c *call) (any, error) {
	p, err := c.index.policy(c.form.Get("PolicyArn"))
	if err != nil {
		return nil, err
	}
	id := c.form.Get("VersionId")
	for i := range p.Versions {
		if p.Versions[i].ID == id {
			return struct{ PolicyVersion iamPolicyVersion }{policyVersion(p, &p.Versions[i])}, nil
		}
	}
	return nil, noSuchEntity("Policy %s version %s does not exist or is not attachable.", p.ARN, id)
}
