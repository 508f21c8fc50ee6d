package policy

import (
	"encoding/base64"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// quote shows a value in a sentence: escaped, and never long.
func quote(value string) string {
	const most = 64
	if len(value) > most {
		value = strings.ToValidUTF8(value[:most], "") + "..."
	}
	return strconv.Quote(value)
}

// parseNumber reads an integer or decimal number, exactly.
func parseNumber(text string) (*big.Rat, bool) {
	const maxLen, maxExponent = 64, 400 // a hostile exponent must not cost memory
	text = strings.TrimSpace(text)
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(text), "e")
	if hasExponent {
		if e, err := strconv.Atoi(exponent); err != nil || e > maxExponent || e < -maxExponent {
			return nil, false
		}
	}
	digits := strings.TrimLeft(mantissa, "+-")
	if len(text) > maxLen || len(mantissa)-len(digits) > 1 || strings.Trim(digits, "0123456789.") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// The W3C profile of ISO 8601 (www.w3.org/TR/NOTE-datetime), and the same without a
// zone, which is read as UTC.
var dateLayouts = [...]string{
	"2006-01-02T15:04:05.999999999Z07:00",
	"2006-01-02T15:04Z07:00",
	"2006-01-02",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02T15:04",
	"2006-01",
	"2006",
}

// parseDate reads a date, or seconds since 1970. Four digits are a year.
func parseDate(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	number, ok := parseNumber(text)
	if !ok {
		return time.Time{}, false
	}
	number.Mul(number, big.NewRat(int64(time.Second), 1))
	nanos := new(big.Int).Quo(number.Num(), number.Denom())
	seconds, rest := new(big.Int).DivMod(nanos, big.NewInt(int64(time.Second)), new(big.Int))
	if !seconds.IsInt64() || seconds.CmpAbs(big.NewInt(maxEpoch)) > 0 {
		return time.Time{}, false
	}
	return time.Unix(seconds.Int64(), rest.Int64()), true
}

// maxEpoch is the end of the year 9999 in seconds: beyond it no date makes sense.
const maxEpoch = 253402300799

func parseBool(text string) (value, ok bool) {
	switch {
	case strings.EqualFold(text, "true"):
		return true, true
	case strings.EqualFold(text, "false"):
		return false, true
	}
	return false, false
}

func parseBinary(text string) ([]byte, bool) {
	data, err := base64.StdEncoding.DecodeString(text)
	return data, err == nil
}

// parsePrefix reads a CIDR block; an address alone is a block of itself.
func parsePrefix(text string) (netip.Prefix, bool) {
	if strings.Contains(text, "/") {
		prefix, err := netip.ParsePrefix(text)
		return prefix, err == nil
	}
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(address, address.BitLen()), true
}
