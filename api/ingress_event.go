package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/picloud/picloud/internal/picloud"
)

// base64Encoding is the body_encoding of bodies that are no text.
const base64Encoding = "base64"

// httpData is the data of an event picloud.http.request.
type httpData struct {
	Method       string            `json:"method"`
	Path         string            `json:"path"`   // below the endpoint, with a slash first
	Params       map[string]string `json:"params"` // parts of the path with a name
	Query        map[string]any    `json:"query"`  // a string, or an array of strings where a name is repeated
	Headers      map[string]string `json:"headers"`
	Body         any               `json:"body"`
	BodyEncoding string            `json:"body_encoding,omitempty"`
}

// keptBack are the headers that a script does not get: they hold the caller's key.
var keptBack = map[string]bool{"authorization": true, "proxy-authorization": true}

// cleanPath gives the path below an endpoint: with a slash first, fit to be stored.
func cleanPath(path string) (string, error) {
	if path == "" {
		return "/", nil
	}
	if strings.ContainsRune(path, 0) || !utf8.ValidString(path) {
		return "", picloud.Errorf(picloud.Malformed, "malformed_path", "the path contains a NUL or invalid UTF-8")
	}
	return path, nil
}

// requestData makes the event's data of a request. Malformed "malformed_json" when the body is not the JSON that its content type says.
func requestData(r *http.Request, path string, params map[string]string, body []byte) (json.RawMessage, error) {
	data := httpData{
		Method: r.Method, Path: path, Params: params, Query: oneOrMany(r.URL.Query()), Headers: map[string]string{"host": r.Host},
	}
	for name, values := range r.Header {
		if name = strings.ToLower(name); !keptBack[name] {
			data.Headers[name] = strings.Join(values, ", ")
		}
	}
	var err error
	if data.Body, data.BodyEncoding, err = parseBody(r.Header.Get("Content-Type"), body); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return raw, nil
}

// parseBody gives a body as a JSON value, by its content type: JSON as it is, a form as an object, with its files in base64, text as a string, anything else in base64.
func parseBody(contentType string, body []byte) (value any, encoding string, err error) {
	if len(body) == 0 {
		return nil, "", nil
	}
	media, parameters, _ := mime.ParseMediaType(contentType) // what cannot be read is "anything else"
	switch {
	case media == "application/json" || strings.HasSuffix(media, "+json"):
		return json.RawMessage(body), "", checkJSON(body)
	case media == "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, "", picloud.Errorf(picloud.Malformed, "malformed_form", "the body is not the form that its content type says")
		}
		return oneOrMany(form), "", nil
	case media == "multipart/form-data":
		form, err := parseMultipart(body, parameters["boundary"])
		return form, "", err
	case (strings.HasPrefix(media, "text/") || media == "application/xml" || strings.HasSuffix(media, "+xml")) && utf8.Valid(body):
		return string(body), "", nil
	default:
		return base64.StdEncoding.EncodeToString(body), base64Encoding, nil
	}
}

// oneOrMany gives a string for what is there once, and an array for what is repeated.
func oneOrMany(values url.Values) map[string]any {
	out := make(map[string]any, len(values))
	for name, v := range values {
		if len(v) == 1 {
			out[name] = v[0]
		} else {
			out[name] = v
		}
	}
	return out
}
