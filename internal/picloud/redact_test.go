package picloud

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRedactorText(t *testing.T) {
	t.Parallel()
	r := NewRedactor(map[string]string{"KEY": `sk_live_"51'H+/x&y`, "PIN": "4711", "LONGER": `sk_live_"51'H+/x&y-and-more`, "PEM": "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nw0BAQEFAASCBKcwggSj\n-----END KEY-----"})
	key := `sk_live_"51'H+/x&y`
	for text, want := range map[string]string{
		"":                              "",
		"nothing":                       "nothing",
		"a " + key + " b " + key:        "a [secret KEY] b [secret KEY]",
		key + "-and-more":               "[secret LONGER]",
		`{"k":"sk_live_\"51'H+/x&y"}`:   `{"k":"[secret KEY]"}`,
		`'sk_live_"51\'H+/x&y'`:         `'[secret KEY]'`,
		"?k=" + url.QueryEscape(key):    "?k=[secret KEY]",
		"?k=sk_live_%2251'H%2B%2Fx%26y": "?k=[secret KEY]", // encodeURIComponent
		"/" + url.PathEscape(key):       "/[secret KEY]",
		hex.EncodeToString([]byte(key)): "[secret KEY]",
		"pin 4711.":                     "pin [secret PIN].",
		"4711 4711":                     "[secret PIN] [secret PIN]",
		"14711 and a4711":               "14711 and a4711",
		"line MIIEvQIBADANBgkqhkiG":     "line [secret PEM]",
		"-----BEGIN KEY----- ...":       "-----BEGIN KEY----- ...",
		`cut sk_live_"51…`:              "cut [secret KEY]…",
		`cut sk_live_"5`:                "cut [secret KEY]",
	} {
		got := r.Text(text)
		if strings.HasPrefix(text, "cut") { // the beginning of two secrets: either name is right
			got = strings.Replace(got, "LONGER", "KEY", 1)
		}
		assert.Equal(t, want, got, text)
	}
	for _, around := range []string{"", "u:", "ab", "abcd"} {
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding} {
			text := "Basic " + e.EncodeToString([]byte(around+key+around))
			assert.Contains(t, r.Text(text), "[secret KEY]", text)
		}
	}
	var none *Redactor
	assert.Equal(t, key, none.Text(key))
	assert.Nil(t, NewRedactor(nil))
}

func TestRedactorJSON(t *testing.T) {
	t.Parallel()
	r := NewRedactor(map[string]string{"KEY": "s3cret/value\n", "NUMBER": "1234567890", "JSON": `{"client":"x","key":[1,2]}`, "WORD": "true"})
	for raw, want := range map[string]string{
		``:                                ``,
		`{"a":[1,"x"],"b":null}`:          `{"a":[1,"x"],"b":null}`,
		`{"a":"is s3cret/value\n!"}`:      `{"a":"is [secret KEY]!"}`,
		`{"a":"\u00733cret\/value\n"}`:    `{"a":"[secret KEY]"}`,
		`{"s3cret/value\n":1}`:            `{"[secret KEY]":1}`,
		`[1234567890,12]`:                 `["[secret NUMBER]",12]`,
		`{"client":"x","key":[1,2]}`:      `"[secret JSON]"`,
		`[{"client":"x","key":[1,2]},{}]`: `"[[secret JSON],{}]"`,
		`[true,false,"true"]`:             `["[secret WORD]",false,"[secret WORD]"]`,
	} {
		got := string(r.JSON(json.RawMessage(raw)))
		assert.Equal(t, want, got, raw)
		if got != "" {
			assert.True(t, json.Valid([]byte(got)), got)
		}
	}
}

// Whatever a value is, what is hidden of a JSON text is a JSON text, and does not have the value.
func TestRedactorKeepsJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringN(1, 40, 64).Draw(t, "value")
		around := rapid.String().Draw(t, "around")
		raw, err := json.Marshal(map[string]any{"a": around + value, "b": []any{value, 1234567, value + around, true, nil}, value: map[string]any{}})
		require.NoError(t, err)
		got := NewRedactor(map[string]string{"NAME": value}).JSON(raw)
		require.True(t, json.Valid(got), "%s", got)
		if len(value) >= shortSecret && !strings.Contains("[secret NAME]", value) { //nolint:gocritic // the mark may have the value in it
			var back any
			require.NoError(t, json.Unmarshal(got, &back))
			visit(t, back, value)
		}
	})
}

func visit(t *rapid.T, v any, value string) {
	switch v := v.(type) {
	case string:
		require.NotContains(t, strings.ReplaceAll(v, "[secret NAME]", ""), value)
	case []any:
		for _, x := range v {
			visit(t, x, value)
		}
	case map[string]any:
		for k, x := range v {
			visit(t, k, value)
			visit(t, x, value)
		}
	}
}

func TestSecretNamesAndValues(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "STRIPE_KEY", "_x", "a.b-c", strings.Repeat("a", 128)} {
		assert.NoError(t, CheckSecretName("name", name), name)
	}
	for _, name := range []string{"", "-a", ".a", "a b", "a/b", "ä", "a]", strings.Repeat("a", 129)} {
		assert.Error(t, CheckSecretName("name", name), name)
	}
	assert.NoError(t, CheckSecretValue("value", strings.Repeat("x", MaxSecretValue)))
	for _, value := range []string{"", strings.Repeat("x", MaxSecretValue+1), "\xff"} {
		err := CheckSecretValue("value", value)
		require.Error(t, err)
		if value != "" {
			assert.NotContains(t, err.Error(), value)
		}
	}
}
