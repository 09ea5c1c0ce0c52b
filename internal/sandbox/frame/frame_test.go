package frame_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/sandbox/frame"
)

func TestFramesComeOutAsTheyWentIn(t *testing.T) {
	t.Parallel()
	frames := []frame.Frame{
		{Kind: frame.KindHello}, {Kind: frame.KindCall, ID: 1 << 31, Head: []byte(`{"op":"x"}`), Body: []byte("body")}, {Kind: frame.KindDone, Body: []byte{0}},
	}
	var wire []byte
	for _, f := range frames {
		wire = frame.Append(wire, f)
	}
	r := frame.NewReader(bytes.NewReader(wire), 100, 100)
	for _, f := range frames {
		got, err := r.Next()
		require.NoError(t, err)
		require.Equal(t, f.Kind, got.Kind)
		require.Equal(t, f.ID, got.ID)
		require.Equal(t, string(f.Head), string(got.Head))
		require.Equal(t, string(f.Body), string(got.Body))
	}
	_, err := r.Next()
	require.ErrorIs(t, err, io.EOF)

	r = frame.NewReader(bytes.NewReader(wire), 100, 3)
	_, _ = r.Next()
	_, err = r.Next()
	require.ErrorIs(t, err, frame.ErrTooLarge)
	_, err = frame.NewReader(bytes.NewReader(wire[:20]), 100, 100).Next()
	require.NoError(t, err)
}

func TestSplit(t *testing.T) {
	t.Parallel()
	parts, err := frame.Split([]byte("abcdef"), 1, 0, 5)
	require.NoError(t, err)
	require.Equal(t, [][]byte{[]byte("a"), {}, []byte("bcdef")}, parts)
	for _, sizes := range [][]int{{1}, {7}, {-1, 7}, {3, 4}} {
		_, err := frame.Split([]byte("abcdef"), sizes...)
		require.Error(t, err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(frame.Append(nil, frame.New(frame.KindCall, 7, frame.Call{Op: frame.OpKVGet}, []byte("x"))))
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, wire []byte) {
		const most = 64
		r := frame.NewReader(bytes.NewReader(wire), most, most)
		var again []byte
		for {
			got, err := r.Next()
			if err != nil {
				clean := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, frame.ErrTooLarge) || errors.Is(err, frame.ErrUnknownKind)
				if !clean {
					t.Fatalf("unknown error %v", err)
				}
				break
			}
			if len(got.Head) > most || len(got.Body) > most {
				t.Fatalf("frame over its bounds: %d, %d", len(got.Head), len(got.Body))
			}
			again = frame.Append(again, got)
		}
		if !bytes.HasPrefix(wire, again) {
			t.Fatal("what was read is not what was written")
		}
	})
}
