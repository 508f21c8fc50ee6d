package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/account"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// attempts is how often a call is tried at most where the user's environment
// (AWS_MAX_ATTEMPTS, max_attempts) does not say.
const attempts = 8

// clients makes the SDK's clients, all of one configuration, guarded and counted.
type clients struct {
	cfg        aws.Config
	lookupRate float64
	maxBackoff time.Duration
}

// newClients loads the SDK's configuration and asks for credentials, so that a
// run without any ends here.
func newClients(ctx context.Context, o *Options, count func(operation string)) (*clients, error) {
	cfg, err := loadConfig(ctx, o)
	if err != nil {
		return nil, err
	}
	if o.EndpointURL != "" {
		cfg.BaseEndpoint = aws.String(o.EndpointURL)
	}
	if o.LookupRate == 0 && o.Usage == UsageLookup && cfg.BaseEndpoint == nil {
		return nil, errors.New("a lookup rate of 0, which does not pace, is for an endpoint override: AWS allows 2 requests a second")
	}
	if o.httpClient != nil {
		cfg.HTTPClient = o.httpClient
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = awshttp.NewBuildableClient()
	}
	cfg.HTTPClient = plainBody{cfg.HTTPClient}
	// The SDK would warn on stderr of a connection that a cancellation has cut.
	cfg.Logger = logging.Nop{}
	cfg.APIOptions = append(cfg.APIOptions, readOnly(o), counting(count),
		awsmiddleware.AddUserAgentKeyValue("sagemaker-role-audit", o.Version))
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("no AWS credentials: %s", innermost(err))
	}
	return &clients{cfg: cfg, lookupRate: o.LookupRate, maxBackoff: o.maxBackoff}, nil
}

func loadConfig(ctx context.Context, o *Options) (aws.Config, error) {
	if o.StaticCredentials {
		return aws.Config{
			Region: o.DefaultRegion,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "demo", SecretAccessKey: "demo", Source: "demo"}, nil
			}),
		}, nil
	}
	var options []func(*config.LoadOptions) error
	if o.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(o.Profile))
	}
	if o.DefaultRegion != "" {
		options = append(options, config.WithDefaultRegion(o.DefaultRegion))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("AWS configuration: %s", innermost(err))
	}
	return cfg, nil
}

// patient tries more often than the SDK's standard retryer and never refuses a
// retry because others before it failed: a long run under throttling would end
// there.
func (c *clients) patient(o *retry.StandardOptions) {
	o.MaxAttempts = attempts
	if c.cfg.RetryMaxAttempts > 0 {
		o.MaxAttempts = c.cfg.RetryMaxAttempts
	}
	if c.maxBackoff > 0 {
		o.MaxBackoff = c.maxBackoff
	}
	o.RateLimiter = ratelimit.None
	o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(wordless)}, o.Retryables...)
	o.Retryables = append(o.Retryables, retry.IsErrorRetryableFunc(cutShort))
}

func (c *clients) retryer() aws.Retryer {
	if c.cfg.RetryMode == aws.RetryModeAdaptive { // the user's own AWS_RETRY_MODE
		return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
			o.StandardOptions = append(o.StandardOptions, c.patient)
		})
	}
	return retry.NewStandard(c.patient)
}

// wordless tells that asking again is no use: a status of 500 whose body is no
// error of AWS's comes from a stand-in that does not know the operation. AWS words
// its own; its gateways answer 502 to 504.
func wordless(err error) aws.Ternary {
	var (
		answer *smithyhttp.ResponseError
		api    smithy.APIError
	)
	if errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusInternalServerError && !errors.As(err, &api) {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// cutShort lets an answer be asked for again whose connection ended within it: all
// that is called here only reads.
func cutShort(err error) aws.Ternary {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// sts tries less often: where nobody answers the first call, the user is to know.
func (c *clients) sts(region string) *sts.Client {
	return sts.NewFromConfig(c.cfg, func(o *sts.Options) {
		o.Region, o.Retryer = region, retry.AddWithMaxAttempts(c.retryer(), 3)
	})
}

func (c *clients) account(region string) *account.Client {
	return account.NewFromConfig(c.cfg, func(o *account.Options) { o.Region, o.Retryer = region, c.retryer() })
}

func (c *clients) iam(region string) *iam.Client {
	return iam.NewFromConfig(c.cfg, func(o *iam.Options) { o.Region, o.Retryer = region, c.retryer() })
}

func (c *clients) sagemaker(region string) *sagemaker.Client {
	return sagemaker.NewFromConfig(c.cfg, func(o *sagemaker.Options) { o.Region, o.Retryer = region, c.retryer() })
}

// cloudtrail makes the one client of a region: its pacer is the region's quota.
func (c *clients) cloudtrail(region string) *cloudtrail.Client {
	return cloudtrail.NewFromConfig(c.cfg, func(o *cloudtrail.Options) {
		o.Region, o.Retryer = region, c.retryer()
		if c.lookupRate > 0 {
			o.APIOptions = append(o.APIOptions, newPacer(c.lookupRate).attempts)
		}
	})
}

// trails makes a client for what has a quota apart from LookupEvents.
func (c *clients) trails(region string) *cloudtrail.Client {
	return cloudtrail.NewFromConfig(c.cfg, func(o *cloudtrail.Options) { o.Region, o.Retryer = region, c.retryer() })
}

// s3 asks an endpoint that was overridden by path: it has no host for each bucket
// (AWS: S3 VirtualHosting).
func (c *clients) s3(region string) *s3.Client {
	return s3.NewFromConfig(c.cfg, func(o *s3.Options) {
		o.Region, o.Retryer, o.UsePathStyle = region, c.retryer(), o.BaseEndpoint != nil
	})
}

func (c *clients) ecr(region string) *ecr.Client {
	return ecr.NewFromConfig(c.cfg, func(o *ecr.Options) { o.Region, o.Retryer = region, c.retryer() })
}

func (c *clients) kms(region string) *kms.Client {
	return kms.NewFromConfig(c.cfg, func(o *kms.Options) { o.Region, o.Retryer = region, c.retryer() })
}

// plainBody hides the WriteTo of the SDK's request bodies. The SDK closes a body as
// soon as it has the answer, and its WriteTo then reports io.EOF as an error; when
// the answer comes within microseconds, net/http is still looking for the body's
// end, takes that for a failed write and closes the connection under the answer
// (smithy-go v1.28.8, safeWriteToReadCloser): a retry, and a count of calls that
// differs from run to run. Its Read has no such fault.
type plainBody struct{ next httpClient }

func (p plainBody) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r = r.Clone(r.Context())
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return p.next.Do(r)
}

// httpClient is what sends requests; tests put their own wire here.
type httpClient interface {
	Do(*http.Request) (*http.Response, error)
}
