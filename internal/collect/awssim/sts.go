package awssim

// callerIdentity is the answer of GetCallerIdentity (AWS: API_GetCallerIdentity).
type callerIdentity struct {
	UserID  string `xml:"UserId"`
	Account string
	ARN     string `xml:"Arn"`
}

func getCallerIdentity(c *call) (any, error) {
	who := c.account.caller()
	return callerIdentity{who.UserID, c.account.ID, who.ARN}, nil
}
