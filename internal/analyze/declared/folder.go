package declared

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
)

// File is a file of a folder: its path below it, with slashes.
type File struct {
	Path string
	Text []byte
}

// The names of a role's files that are no identity policies.
const (
	trustFile    = "trust.json"
	boundaryFile = "boundary.json"
	attachedFile = "attached.json"
)

// Folder reads approved policy documents: a folder for each role, named as the role, with
// trust.json, boundary.json, attached.json (ARNs of managed policies that may be attached,
// whatever they hold) and any other *.json as an identity policy. What has no file is not
// declared: without trust.json the trust policy may be any.
func Folder(name string, files []File) (*Account, error) {
	a := &Account{Source: SourceFolder, Name: name, Managed: map[string]Policy{}}
	byRole := map[string][]File{}
	for _, f := range files {
		role, rest, ok := strings.Cut(f.Path, "/")
		if !ok || role == "" || rest == "" || strings.Contains(rest, "/") || path.Ext(rest) != ".json" {
			return nil, fmt.Errorf("%s: is not ROLE/NAME.json", f.Path)
		}
		byRole[role] = append(byRole[role], f)
	}
	if len(byRole) == 0 {
		return nil, errors.New("has no ROLE/NAME.json")
	}
	for _, role := range slices.Sorted(maps.Keys(byRole)) {
		files := byRole[role]
		r := Role{Name: role, Where: role}
		slices.SortFunc(files, func(x, y File) int { return strings.Compare(x.Path, y.Path) })
		for _, f := range files {
			text := Text{State: Known, Value: string(f.Text)}
			if base := path.Base(f.Path); base != attachedFile {
				if _, err := policy.Parse(f.Text); err != nil {
					return nil, fmt.Errorf("%s: no policy document: %w", f.Path, err)
				}
			}
			switch base := path.Base(f.Path); base {
			case trustFile:
				r.Trust, r.TrustStated = text, true
			case boundaryFile:
				r.BoundaryDocument, r.BoundaryStated = text, true
			case attachedFile:
				arns, err := readARNs(f.Text)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", f.Path, err)
				}
				for _, arn := range arns {
					r.Policies = append(r.Policies, Policy{Kind: Managed, ARN: arn, Where: f.Path})
				}
			default:
				r.Policies = append(r.Policies, Policy{Kind: Either, Name: strings.TrimSuffix(base, ".json"), Where: f.Path, Document: text})
			}
		}
		a.Roles = append(a.Roles, r)
	}
	a.sort()
	return a, nil
}

func readARNs(text []byte) ([]string, error) {
	var arns []string
	if err := json.Unmarshal(text, &arns); err != nil {
		return nil, fmt.Errorf("is no list of ARNs: %w", err)
	}
	for _, arn := range arns {
		if !strings.HasPrefix(arn, "arn:") || !strings.Contains(arn, ":policy/") {
			return nil, fmt.Errorf("%.100q is not the ARN of a managed policy", arn)
		}
	}
	slices.Sort(arns)
	return slices.Compact(arns), nil
}
