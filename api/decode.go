package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/picloud/picloud/internal/picloud"
)

// decodeBody reads the JSON body of a request into into; the generated handlers call it. An empty body is present=false, or Malformed where a body is required.
func decodeBody(r *http.Request, into any, required bool) (present bool, err error) {
	data, err := readBody(r.Body)
	if err != nil {
		if _, script := into.(*ScriptPut); script && picloud.ErrorCode(err) == "payload_too_large" {
			return false, errSourceTooLarge()
		}
		return false, err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		if required {
			return false, picloud.Errorf(picloud.Malformed, "malformed_json", "the body is empty: JSON is expected")
		}
		return false, nil
	}
	return true, decodeJSON(data, into, "")
}

// readBody reads a bounded body. TooLarge "payload_too_large" over its bound, Malformed "unreadable_body" when it breaks off.
func readBody(body io.Reader) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	data, err := io.ReadAll(body)
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, picloud.Errorf(picloud.TooLarge, "payload_too_large", "the body is over the limit of %d bytes", tooLarge.Limit)
	}
	if err != nil {
		return nil, picloud.Errorf(picloud.Malformed, "unreadable_body", "the body breaks off")
	}
	return data, nil
}

// checkJSON gives Malformed "malformed_json", with line and column, for what is no JSON.
func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return picloud.Errorf(picloud.Malformed, "malformed_json", "the JSON is not valid UTF-8")
	}
	if json.Valid(data) {
		return nil
	}
	var raw json.RawMessage
	err := json.Unmarshal(data, &raw)
	at := len(data)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = int(max(min(syntax.Offset, int64(len(data)))-1, 0))
	}
	line, column := position(data, at)
	e := picloud.Errorf(picloud.Malformed, "malformed_json", "the JSON cannot be read at line %d, column %d: %v", line, column, err)
	e.Fields = []picloud.FieldError{{Message: fmt.Sprint(err), Line: line, Column: column}}
	return e
}

// position gives the line and column, counted from 1, of the byte at offset.
func position(data []byte, offset int) (line, column int) {
	before := data[:offset]
	return bytes.Count(before, []byte("\n")) + 1, offset - bytes.LastIndexByte(before, '\n')
}

// decodeJSON reads data into into, a pointer to a struct or to a json.RawMessage. Unlike encoding/json it refuses unknown fields, spells names
// exactly, wants every field that has no omitempty, and names all wrong fields by their dotted paths below prefix.
func decodeJSON(data []byte, into any, prefix string) error {
	if err := checkJSON(data); err != nil {
		return err
	}
	if raw, ok := into.(*json.RawMessage); ok {
		*raw = bytes.Clone(bytes.TrimSpace(data))
		return nil
	}
	_, patch := into.(*TriggerPatch)
	checker := fieldChecker{refuseNull: patch}
	checker.check(data, reflect.TypeOf(into).Elem(), prefix)
	if checker.wrong != nil {
		return picloud.InvalidFields(checker.wrong...)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return picloud.InvalidField(prefix, "cannot be read: %v", err)
	}
	return nil
}

// notYet are fields that the contract has and this version does not.
var notYet = []string{"dry_run"}

var (
	rawType  = reflect.TypeFor[json.RawMessage]()
	timeType = reflect.TypeFor[time.Time]()
)

type fieldChecker struct {
	refuseNull bool // null stands for "remove", and nothing can be removed
	wrong      []picloud.FieldError
}

func (f *fieldChecker) sayf(field, format string, args ...any) {
	if field == "" {
		field = "body"
	}
	f.wrong = append(f.wrong, picloud.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

// check says what is wrong with value as a t.
func (f *fieldChecker) check(value json.RawMessage, t reflect.Type, path string) {
	null := bytes.Equal(bytes.TrimSpace(value), []byte("null"))
	switch {
	case t == rawType:
	case t.Kind() == reflect.Pointer && null && !f.refuseNull:
	case t.Kind() == reflect.Pointer && !null:
		f.check(value, t.Elem(), path)
	case null:
		f.sayf(path, "may not be null")
	case t.Kind() == reflect.Struct && t != timeType:
		f.checkObject(value, t, path)
	default:
		if err := json.Unmarshal(value, reflect.New(t).Interface()); err != nil {
			f.sayf(path, "must be %s", typeInWords(t))
		}
	}
}

func (f *fieldChecker) checkObject(value json.RawMessage, t reflect.Type, path string) {
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil {
		f.sayf(path, "must be an object")
		return
	}
	join := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		member, there := members[name]
		delete(members, name)
		switch {
		case there:
			f.check(member, t.Field(i).Type, join(name))
		case !strings.Contains(options, "omitempty"):
			f.sayf(join(name), "is required")
		}
	}
	unknown := make([]string, 0, len(members))
	for name := range members {
		unknown = append(unknown, name)
	}
	slices.Sort(unknown)
	for _, name := range unknown[:min(len(unknown), 20)] {
		if slices.Contains(notYet, join(name)) {
			f.sayf(join(name), "is not supported by this version yet")
		} else {
			f.sayf(join(strings.ToValidUTF8(name[:min(len(name), 100)], "")), "is no field of this request")
		}
	}
}

func typeInWords(t reflect.Type) string {
	if t == timeType {
		return "a time, such as \"2026-11-24T08:00:00Z\""
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "an array with " + typeInWords(t.Elem()) + " in each place"
	default:
		return "a whole number"
	}
}
