package api

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime/multipart"
	"strings"

	"github.com/picloud/picloud/internal/picloud"
)

// maxParts is how many fields and files a form may have.
const maxParts = 1000

// formFile is a file of a multipart form.
type formFile struct {
	Filename    string `json:"filename"`
	ContentType string `json:"content_type"`
	Size        int    `json:"size"`    // bytes
	Content     string `json:"content"` // base64
}

// parseMultipart gives a multipart form as an object: a field is a string, a file is a formFile, and what is repeated is an array. Malformed "malformed_form".
func parseMultipart(body []byte, boundary string) (map[string]any, error) {
	malformed := picloud.Errorf(picloud.Malformed, "malformed_form", "the body is not the form that its content type says")
	if boundary == "" {
		return nil, malformed
	}
	fields := map[string][]any{}
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for parts := 0; ; parts++ {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) && bytes.Contains(body, []byte("--"+boundary)) { // else there is no form at all
			return alone(fields), nil
		}
		if err != nil || part.FormName() == "" {
			return nil, malformed
		}
		if parts == maxParts {
			return nil, picloud.Errorf(picloud.TooLarge, "too_many_parts", "the form has more than %d fields and files", maxParts)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, malformed
		}
		name := strings.ToValidUTF8(part.FormName(), "\ufffd")
		fields[name] = append(fields[name], fieldOf(part, content))
	}
}

func fieldOf(part *multipart.Part, content []byte) any {
	if part.FileName() == "" {
		return strings.ToValidUTF8(string(content), "\ufffd")
	}
	kind := part.Header.Get("Content-Type")
	if kind == "" {
		kind = "application/octet-stream"
	}
	return formFile{
		Filename: strings.ToValidUTF8(part.FileName(), "\ufffd"), ContentType: strings.ToValidUTF8(kind, "\ufffd"), Size: len(content), Content: base64.StdEncoding.EncodeToString(content),
	}
}

// alone gives what is there once without its array.
func alone(fields map[string][]any) map[string]any {
	out := make(map[string]any, len(fields))
	for name, values := range fields {
		if len(values) == 1 {
			out[name] = values[0]
		} else {
			out[name] = values
		}
	}
	return out
}
