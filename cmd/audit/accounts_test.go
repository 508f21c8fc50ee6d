package main

import (
	"time"

	"sagemaker-role-audit/internal/collect/awssim"
)

var accountNow = time.Date(2026, time.October, 31, 12, 0, 0, 0, time.UTC)

// emptyAccount has no role and no job.
func emptyAccount() *awssim.Account {
	return &awssim.Account{ID: "123456789012", Now: accountNow, Regions: []awssim.Region{{Name: "us-east-1"}}}
}

// hostile drives terminals, breaks tables and pages, and looks like something else.
const hostile = "\x1b]0;owned\x07\x1b[2J\u009b31m\r\n| a | b |\n<script>alert(1)</script>\u202egnp.exe\u200b\u2028\x00\x7f"

// hostileAccount has such text wherever AWS lets users write.
func hostileAccount() *awssim.Account {
	const trust = `{"Version":"2012-10-17","Statement":[{"Sid":"` + `\u001b[31mred\u202e` +
		`","Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com","AWS":"\u001b[2J\u009b"},"Action":"sts:AssumeRole"}]}`
	const document = `{"Version":"2012-10-17","Statement":[{"Sid":"\u001b]0;x\u0007\u202e","Effect":"Allow",` +
		`"Action":["s3:*","\u001b[1mx:Y\u200b"],"Resource":["*","arn:aws:s3:::\u001b[2J\n"],` +
		`"Condition":{"StringEquals":{"aws:\u001b[0m":"\u009bvalue"}}}]}`
	role := awssim.Role{
		Name: "hostile", CreateDate: accountNow.AddDate(-1, 0, 0), Trust: trust,
		Inline: []awssim.InlinePolicy{{Name: "inline" + hostile, Document: document}},
		Tags:   []awssim.Tag{{Key: hostile, Value: hostile}},
	}
	account := emptyAccount()
	account.Roles = []awssim.Role{role}
	for i, status := range []string{"Completed", "Failed"} {
		at := accountNow.Add(time.Duration(-i-1) * day)
		job := awssim.TrainingJob{
			Region: "us-east-1", TrainingJobName: "job-" + status, TrainingJobStatus: status, SecondaryStatus: status,
			RoleArn: account.RoleARN(&role), CreationTime: at, LastModifiedTime: at,
			FailureReason:    "AccessDenied: " + hostile,
			HyperParameters:  map[string]string{"code" + hostile: "s3://bucket/" + hostile, "key": awssim.SampleSecret},
			OutputDataConfig: &awssim.OutputDataConfig{S3OutputPath: "s3://bucket/" + hostile},
			InputDataConfig: []awssim.Channel{{ChannelName: hostile, DataSource: awssim.DataSource{
				S3DataSource: &awssim.S3DataSource{S3DataType: "S3Prefix", S3Uri: "s3://bucket/" + hostile}}}},
		}
		account.Jobs = append(account.Jobs, job)
		account.Events = append(account.Events, awssim.Record{
			EventTime: at, AWSRegion: job.Region, EventType: "AwsApiCall", EventCategory: "Management", EventSource: "sagemaker.amazonaws.com", EventName: "CreateTrainingJob",
			UserIdentity:      awssim.UserIdentity{Type: "IAMUser", ARN: "arn:aws:iam::123456789012:user/" + hostile},
			RequestParameters: map[string]any{"roleArn": job.RoleArn, "trainingJobName": job.TrainingJobName},
		})
	}
	account.Buckets = []awssim.Bucket{{Name: "bucket", Policy: document}}
	account.Trails = []awssim.Trail{{Name: "trail", MultiRegion: true, KeyPrefix: hostile, Advanced: []awssim.AdvancedEventSelector{{Name: hostile,
		FieldSelectors: []awssim.FieldSelector{{Field: "eventCategory", Equals: []string{"Data"}}, {Field: "resources.ARN", StartsWith: []string{hostile}}}}}}}
	return account
}

// steadyAccount has a role that nothing happens to, from one day to the next.
func steadyAccount() *awssim.Account {
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	const document = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}]}`
	account := emptyAccount()
	account.Roles = []awssim.Role{{Name: "trainer", CreateDate: accountNow.AddDate(-1, 0, 0), Trust: trust, Inline: []awssim.InlinePolicy{{Name: "s3", Document: document}}}}
	return account
}

// widerAccount is the steady one, with more that the role may do.
func widerAccount() *awssim.Account {
	account := steadyAccount()
	account.Roles[0].Inline = append(account.Roles[0].Inline, awssim.InlinePolicy{Name: "secrets",
		Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`})
	return account
}

// elsewhereAccount is the steady one, under another account id.
func elsewhereAccount() *awssim.Account {
	account := steadyAccount()
	account.ID = "999999999999"
	return account
}

// loggedAccount is the sample account with one trail, of all management events and all
// data events of S3.
func loggedAccount() *awssim.Account {
	a := awssim.Sample()
	a.Trails = []awssim.Trail{{Name: "everything", MultiRegion: true, Bucket: "retail-cloudtrail", StartedAt: a.Now.AddDate(-2, 0, 0),
		Selectors: []awssim.EventSelector{{DataResources: []awssim.DataResource{{Type: "AWS::S3::Object", Values: []string{"arn:aws:s3"}}}}}}}
	return a
}
