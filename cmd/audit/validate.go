package main

import (
	"net/url"
	"strings"
	"time"
)

// eventHistory is how far back LookupEvents reaches (AWS: API_LookupEvents).
const eventHistory = 90 * day

// deliveryDelay is how late CloudTrail may show an event: usage is read until so
// long ago (AWS: CloudTrail FAQ).
const deliveryDelay = 15 * time.Minute

// apiRate is what AWS allows LookupEvents per second, account and region (AWS:
// whatiscloudtrail-limits).
const apiRate = 2

// validate errs on every combination of flags that makes no sense, before
// anything is sent or written.
func (a *app) validate(f *runFlags) error {
	if f.endpoint != "" {
		u, err := url.Parse(f.endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return usagef("--endpoint-url %q: not a URL such as http://127.0.0.1:5000", f.endpoint)
		}
	}
	switch {
	case f.window == 0:
		return usagef("--window 0: a window has a length; --usage none reads no usage")
	case f.jobsWindow == 0:
		return usagef("--jobs-window 0: a window has a length")
	case f.log.quiet && f.log.verbose:
		return usagef("--quiet and --verbose contradict each other")
	}
	if err := f.usage.check(); err != nil {
		return err
	}
	if err := a.validateLookup(f); err != nil {
		return err
	}
	if toStdout(f.save) {
		return usagef("--save %s: a snapshot needs a file, the standard output is the report's", f.save)
	}
	if err := f.proposal.check(); err != nil {
		return err
	}
	return f.report.check(f.save)
}

// validateLookup holds the limits of Event history. An endpoint override names a
// stand-in, which has its own clock and its own rates.
func (a *app) validateLookup(f *runFlags) error {
	if f.usage.none {
		return nil
	}
	window := time.Duration(f.window)
	if window <= deliveryDelay {
		return usagef("--window %s: CloudTrail shows events up to %s late; ask for more, or read no usage with --usage none",
			f.window, deliveryDelay)
	}
	if !f.usage.lookup {
		return nil
	}
	instead := "or read no usage with --usage none"
	if len(f.usage.logs) > 0 {
		instead = "or read log files alone, without --usage lookup"
	}
	if window > eventHistory {
		return usagef("--window %s: CloudTrail Event history holds %s; ask for that at most, %s", f.window, span(eventHistory), instead)
	}
	if a.overridden(f) {
		return nil
	}
	if f.lookupRate > apiRate {
		return usagef("--lookup-rate %s: AWS allows LookupEvents %d calls a second; another rate needs --endpoint-url or AWS_ENDPOINT_URL",
			f.lookupRate, apiRate)
	}
	if f.asOf.IsZero() {
		return nil
	}
	now := a.now()
	if f.asOf.After(now) {
		return usagef("--as-of %s: that is in the future", f.asOf)
	}
	if reach := now.Add(-eventHistory); f.asOf.Add(-window).Before(reach) {
		return usagef("--as-of %s with --window %s: CloudTrail Event history begins at %s; shorten the window, %s",
			f.asOf, f.window, moment{reach.UTC().Truncate(time.Second)}, instead)
	}
	return nil
}

// overridden reports whether requests go elsewhere than to AWS, by the flag or
// by the variables that the SDK honours (AWS SDKs and Tools Reference Guide,
// "Service-specific endpoints").
func (a *app) overridden(f *runFlags) bool {
	if f.endpoint != "" {
		return true
	}
	if strings.EqualFold(a.env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true") {
		return false
	}
	return a.env("AWS_ENDPOINT_URL") != "" || a.env("AWS_ENDPOINT_URL_CLOUDTRAIL") != ""
}
