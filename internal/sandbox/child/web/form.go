package web

import (
	stdbytes "bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

// quoteName escapes a name of a part: https://html.spec.whatwg.org/#multipart-form-data
var quoteName = strings.NewReplacer("\r\n", "%0D%0A", "\r", "%0D", "\n", "%0A", `"`, "%22")

func formGlue(g *Globals) map[string]any {
	return map[string]any{"encode": g.encodeMultipart, "decode": g.decodeMultipart}
}

// encodeMultipart gives [buffer, content type] of parts: [name, text] or [name, file name, type, buffer].
func (g *Globals) encodeMultipart(call goja.FunctionCall) goja.Value {
	var out stdbytes.Buffer
	w := multipart.NewWriter(&out)
	random := make([]byte, 16)
	_, _ = io.ReadFull(g.host.Random, random)
	_ = w.SetBoundary("----picloud" + hex.EncodeToString(random))
	parts := call.Argument(0).ToObject(g.rt)
	for i := range int(parts.Get("length").ToInteger()) {
		part := parts.Get(strconv.Itoa(i)).ToObject(g.rt)
		disposition := `form-data; name="` + quoteName.Replace(part.Get("0").String()) + `"`
		header := textproto.MIMEHeader{}
		content := []byte(part.Get("1").String())
		if part.Get("length").ToInteger() == 4 {
			disposition += `; filename="` + quoteName.Replace(string(content)) + `"`
			kind := part.Get("2").String()
			if kind == "" {
				kind = "application/octet-stream"
			}
			header.Set("Content-Type", kind)
			content = g.mustBytes("a file", part.Get("3"))
		} else {
			content = []byte(strings.ReplaceAll(strings.ReplaceAll(string(content), "\r\n", "\n"), "\n", "\r\n"))
		}
		header.Set("Content-Disposition", disposition)
		p, err := w.CreatePart(header)
		if err == nil {
			_, err = p.Write(content)
		}
		if err != nil {
			panic(g.rt.NewTypeError("write form: " + err.Error()))
		}
	}
	_ = w.Close()
	return g.rt.NewArray(g.buffer(out.Bytes()), w.FormDataContentType())
}

// maxParts is how many parts a form that is read may have.
const maxParts = 10000

// decodeMultipart gives the parts of a body: [name, text] or [name, buffer, file name, type].
func (g *Globals) decodeMultipart(call goja.FunctionCall) goja.Value {
	fail := func(err error) { panic(g.rt.NewTypeError("the body is no multipart/form-data: " + err.Error())) }
	_, params, err := mime.ParseMediaType(call.Argument(1).String())
	if err != nil {
		fail(err)
	}
	if params["boundary"] == "" {
		fail(errors.New("its content type has no boundary"))
	}
	var parts []any
	r := multipart.NewReader(stdbytes.NewReader(g.mustBytes("a body", call.Argument(0))), params["boundary"])
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return g.rt.NewArray(parts...)
		}
		if err != nil {
			fail(err)
		}
		content, err := io.ReadAll(p)
		if err != nil {
			fail(err)
		}
		if len(parts) == maxParts {
			fail(fmt.Errorf("it has more than %d parts", maxParts))
		}
		_, disposition, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
		if err != nil {
			fail(err)
		}
		name := unquoteName.Replace(disposition["name"])
		filename, isFile := disposition["filename"]
		if !isFile {
			parts = append(parts, g.rt.NewArray(name, replaceUTF8(content)))
			continue
		}
		kind := p.Header.Get("Content-Type")
		if kind == "" {
			kind = "text/plain"
		}
		parts = append(parts, g.rt.NewArray(name, g.buffer(content), unquoteName.Replace(filename), kind))
	}
}

// unquoteName undoes quoteName.
var unquoteName = strings.NewReplacer("%0D", "\r", "%0A", "\n", "%22", `"`)
