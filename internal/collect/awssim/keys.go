package awssim

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Key is a KMS key. Its zero fields make an enabled key of us-east-1 with the policy that CreateKey gives one.
type Key struct {
	ID      string // without key/
	Region  string // empty means us-east-1
	Owner   string // the account it belongs to; empty: this one
	Policy  string // empty: the default key policy (AWS: key-policy-default)
	Aliases []string
	State   string // Enabled, Disabled, PendingDeletion ...; empty means Enabled
}

func (k *Key) region() string { return cmp.Or(k.Region, "us-east-1") }

// KeyARN gives the ARN of a key, in the account that it belongs to.
func (a *Account) KeyARN(k *Key) string { return a.kmsARN(k.region(), k.Owner, "key/"+k.ID) }

func (a *Account) kmsARN(region, owner, name string) string {
	return fmt.Sprintf("arn:%s:kms:%s:%s:%s", a.partition(), region, cmp.Or(owner, a.ID), name)
}

// keyPolicy is a key's policy: its own, or the one that lets the account's IAM policies decide.
func (a *Account) keyPolicy(k *Key) string {
	return cmp.Or(k.Policy, fmt.Sprintf(`{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:%s:iam::%s:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`, a.partition(), cmp.Or(k.Owner, a.ID)))
}

type keyInput struct{ KeyId, PolicyName string }

// keyResource is the key itself, also where an alias names it (AWS: alias-authorization).
func keyResource(c *call) string {
	var in keyInput
	if c.decode(&in) != nil {
		return "*"
	}
	if k := c.key(in.KeyId, true); k != nil {
		return c.account.KeyARN(k)
	}
	switch {
	case strings.HasPrefix(in.KeyId, "arn:"):
		return in.KeyId
	case strings.HasPrefix(in.KeyId, "alias/"):
		return c.account.kmsARN(c.region, "", in.KeyId)
	}
	return c.account.kmsARN(c.region, "", "key/"+in.KeyId)
}

// key finds a key of the region by its id or ARN and, where aliases are allowed, by an alias or its ARN. Id and alias
// name keys of this account only (AWS: API_DescribeKey, KeyId).
func (c *call) key(id string, aliases bool) *Key {
	for i := range c.account.Keys {
		k := &c.account.Keys[i]
		own := k.Owner == "" || k.Owner == c.account.ID
		if k.region() != c.region {
			continue
		}
		if id == c.account.KeyARN(k) || own && id == k.ID {
			return k
		}
		if aliases && slices.ContainsFunc(k.Aliases, func(a string) bool {
			return own && id == a || id == c.account.kmsARN(k.region(), k.Owner, a)
		}) {
			return k
		}
	}
	return nil
}

func (c *call) knownKey(id string, aliases bool) (*Key, error) {
	if k := c.key(id, aliases); k != nil {
		return k, nil
	}
	if parts := strings.Split(id, ":"); len(parts) == 6 && parts[3] != c.region {
		return nil, &apiError{code: "NotFoundException", message: "Invalid arn " + parts[3]}
	}
	if strings.HasPrefix(id, "alias/") && aliases {
		return nil, &apiError{code: "NotFoundException", message: fmt.Sprintf("Alias %s is not found.", c.account.kmsARN(c.region, "", id))}
	}
	return nil, &apiError{code: "NotFoundException", message: fmt.Sprintf("Invalid keyId '%s'", id)}
}

// foreign refuses a key of another account: its own policy would have to let this one in.
func (c *call) foreign(k *Key) error {
	if k.Owner == "" || k.Owner == c.account.ID {
		return nil
	}
	action := c.operation.action()
	return &apiError{http.StatusBadRequest, "AccessDeniedException", fmt.Sprintf(
		"User: %s is not authorized to perform: %s on resource: %s because no resource-based policy allows the %s action",
		c.account.caller().ARN, action, c.account.KeyARN(k), action)}
}

// getKeyPolicy answers the one policy that a key has, named default. It takes no alias (AWS: API_GetKeyPolicy).
func getKeyPolicy(c *call) (any, error) {
	var in keyInput
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	k, err := c.knownKey(in.KeyId, false)
	if err != nil {
		return nil, err
	}
	if err := c.foreign(k); err != nil {
		return nil, err
	}
	if name := cmp.Or(in.PolicyName, "default"); name != "default" {
		return nil, &apiError{code: "NotFoundException", message: "No such policy exists"}
	}
	if c.faultIsEmpty() {
		return struct{}{}, nil
	}
	return struct{ Policy, PolicyName string }{c.account.keyPolicy(k), "default"}, nil
}

// keyMetadata is what of API_KeyMetadata says which key it is, and in which state.
type keyMetadata struct {
	AWSAccountId string
	Arn          string
	CreationDate epoch
	Enabled      bool
	KeyId        string
	KeyManager   string
	KeySpec      string
	KeyState     string
	KeyUsage     string
	MultiRegion  bool
	Origin       string
}

// describeKey finds a key by id, ARN, alias or the alias's ARN (AWS: API_DescribeKey).
func describeKey(c *call) (any, error) {
	var in keyInput
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	k, err := c.knownKey(in.KeyId, true)
	if err != nil {
		return nil, err
	}
	if err := c.foreign(k); err != nil {
		return nil, err
	}
	if c.faultIsEmpty() {
		return struct{}{}, nil
	}
	state := cmp.Or(k.State, "Enabled")
	return struct{ KeyMetadata keyMetadata }{keyMetadata{
		AWSAccountId: cmp.Or(k.Owner, c.account.ID), Arn: c.account.KeyARN(k), CreationDate: epoch(c.account.Now.Add(-365 * 24 * time.Hour)), Enabled: state == "Enabled",
		KeyId: k.ID, KeyManager: "CUSTOMER", KeySpec: "SYMMETRIC_DEFAULT", KeyState: state, KeyUsage: "ENCRYPT_DECRYPT",
		MultiRegion: strings.HasPrefix(k.ID, "mrk-"), Origin: "AWS_KMS",
	}}, nil
}
