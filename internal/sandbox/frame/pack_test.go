package frame_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/sandbox/frame"
)

// heads gives every packed head, as pointers to zero values.
func heads() []any {
	return []any{&frame.Run{}, &frame.Program{}, &frame.Call{}, &frame.Reply{}, &frame.Log{}, &frame.Done{}}
}

// fill gives every field of a value one of its own, so that a field that is not packed, or packed in another's place, is seen.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(int64(*n), int64(*n)).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(fmt.Appendf(nil, `{"n":%d}`, *n))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("tèxt %d", *n))
	case reflect.Bool:
		v.SetBool(true)
	default:
		v.SetInt(int64(-*n))
	}
}

func TestPackedHeadsComeOutAsTheyWentIn(t *testing.T) {
	t.Parallel()
	for _, filled := range []bool{false, true} {
		for _, head := range heads() {
			v := reflect.ValueOf(head).Elem()
			if run, ok := head.(*frame.Run); ok {
				run.Time, run.Event = time.Unix(0, 0).UTC(), []byte{}
			}
			if filled {
				n := 0
				fill(v, &n)
			}
			f := frame.New(frame.KindRun, 0, v.Interface(), nil)
			got := reflect.New(v.Type())
			require.NoError(t, frame.Decode(f, got.Interface()), "%T", head)
			require.Equal(t, v.Interface(), got.Elem().Interface())

			for cut := range len(f.Head) {
				require.Error(t, frame.Decode(frame.Frame{Head: f.Head[:cut]}, reflect.New(v.Type()).Interface()), "%T of %d bytes", head, cut)
			}
			require.Error(t, frame.Decode(frame.Frame{Head: append(f.Head, 0)}, reflect.New(v.Type()).Interface()), "%T", head)
		}
	}
}

func TestPackedTextIsUTF8(t *testing.T) {
	t.Parallel()
	var got frame.Call
	require.NoError(t, frame.Decode(frame.New(frame.KindCall, 0, frame.Call{Key: "a\xffb"}, nil), &got))
	require.Equal(t, "a\uFFFDb", got.Key)
	f := frame.New(frame.KindCall, 0, frame.Call{Op: "x"}, nil)
	f.Head[1] = 0xff
	require.Error(t, frame.Decode(f, &got))
}

func FuzzDecode(f *testing.F) {
	for _, head := range heads() {
		f.Add(frame.New(frame.KindRun, 0, reflect.ValueOf(head).Elem().Interface(), nil).Head)
		n := 0
		fill(reflect.ValueOf(head).Elem(), &n)
		f.Add(frame.New(frame.KindRun, 0, reflect.ValueOf(head).Elem().Interface(), nil).Head)
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		for _, into := range heads() {
			if frame.Decode(frame.Frame{Head: head}, into) != nil {
				continue
			}
			again := reflect.New(reflect.TypeOf(into).Elem())
			if err := frame.Decode(frame.New(frame.KindRun, 0, reflect.ValueOf(into).Elem().Interface(), nil), again.Interface()); err != nil {
				t.Fatalf("%T is not read again: %v", into, err)
			}
		}
	})
}
