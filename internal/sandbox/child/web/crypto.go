package web

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Web Crypto has it; what it is used for is the script's matter
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"io"
	"slices"
	"time"

	"github.com/dop251/goja"
)

var hashes = map[string]func() hash.Hash{"SHA-1": sha1.New, "SHA-256": sha256.New, "SHA-384": sha512.New384, "SHA-512": sha512.New}

// maxRandom bounds the bytes of a generated key.
const maxRandom = 1 << 16

func cryptoGlue(g *Globals) map[string]any {
	const what = "the data"
	return map[string]any{
		"uuid": func(goja.FunctionCall) goja.Value { return g.rt.ToValue(g.uuid()) },
		"fill": func(call goja.FunctionCall) goja.Value {
			_, _ = io.ReadFull(g.host.Random, g.mustBytes(what, call.Argument(0)))
			return goja.Undefined()
		},
		"random": func(call goja.FunctionCall) goja.Value {
			n := call.Argument(0).ToInteger()
			b := make([]byte, max(0, min(n, maxRandom)))
			_, _ = io.ReadFull(g.host.Random, b)
			return g.buffer(b)
		},
		"copy": func(call goja.FunctionCall) goja.Value {
			return g.buffer(slices.Clone(g.mustBytes(what, call.Argument(0))))
		},
		"digest": func(call goja.FunctionCall) goja.Value {
			h := g.hash(call.Argument(0))()
			h.Write(g.mustBytes(what, call.Argument(1)))
			return g.buffer(h.Sum(nil))
		},
		"hmac": func(call goja.FunctionCall) goja.Value {
			h := hmac.New(g.hash(call.Argument(0)), g.mustBytes("the key", call.Argument(1)))
			h.Write(g.mustBytes(what, call.Argument(2)))
			return g.buffer(h.Sum(nil))
		},
		"equal": func(call goja.FunctionCall) goja.Value {
			return g.rt.ToValue(subtle.ConstantTimeCompare(g.mustBytes("the signature", call.Argument(0)), g.mustBytes(what, call.Argument(1))) == 1)
		},
		"seal": func(call goja.FunctionCall) goja.Value {
			aead, iv, additional := g.gcm(call)
			return g.buffer(aead.Seal(nil, iv, g.mustBytes(what, call.Argument(4)), additional))
		},
		"open": func(call goja.FunctionCall) goja.Value {
			aead, iv, additional := g.gcm(call)
			plain, err := aead.Open(nil, iv, g.mustBytes(what, call.Argument(4)), additional)
			if err != nil {
				return goja.Null()
			}
			return g.buffer(plain)
		},
	}
}

func (g *Globals) hash(name goja.Value) func() hash.Hash {
	h := hashes[name.String()]
	if h == nil {
		panic(g.domException("NotSupportedError", "no hash %s", name))
	}
	return h
}

// gcmNonce and gcmTag are the usual sizes; Go has a cipher with one of both unusual only.
const (
	gcmNonce = 12
	gcmTag   = 16
)

// gcm makes the cipher of (key, iv, additional data, tag bytes).
func (g *Globals) gcm(call goja.FunctionCall) (aead cipher.AEAD, iv, additional []byte) {
	iv, additional = g.mustBytes("iv", call.Argument(1)), g.mustBytes("additionalData", call.Argument(2))
	tag := int(call.Argument(3).ToInteger())
	block, err := aes.NewCipher(g.mustBytes("the key", call.Argument(0)))
	switch {
	case err != nil:
	case len(iv) == gcmNonce:
		aead, err = cipher.NewGCMWithTagSize(block, tag)
	case tag == gcmTag && len(iv) > 0:
		aead, err = cipher.NewGCMWithNonceSize(block, len(iv))
	default:
		panic(g.domException("OperationError", "AES-GCM takes an iv of 12 bytes, or one of another length with a tag of 128 bits"))
	}
	if err != nil {
		panic(g.domException("OperationError", "AES-GCM: %v", err))
	}
	return aead, iv, additional
}

// uuid makes a random UUID (RFC 9562, version 4).
func (g *Globals) uuid() string {
	var b [16]byte
	_, _ = io.ReadFull(g.host.Random, b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	text := hex.EncodeToString(b[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

func platformGlue(g *Globals) map[string]any {
	return map[string]any{
		"now": func(goja.FunctionCall) goja.Value {
			// To 5 µs, as browsers give it: finer clocks are of use to attacks only.
			return g.rt.ToValue(float64(g.host.Now().Sub(g.host.Started).Truncate(5*time.Microsecond)) / float64(time.Millisecond))
		},
		"timeOrigin": float64(g.host.Started.UnixMicro()) / 1000,
	}
}

func cloneGlue(g *Globals) map[string]any {
	return map[string]any{"detach": func(call goja.FunctionCall) goja.Value {
		b, ok := call.Argument(0).Export().(goja.ArrayBuffer)
		return g.rt.ToValue(ok && b.Detach())
	}}
}
