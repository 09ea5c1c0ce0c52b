package socket_test

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/picloud/picloud/internal/sandbox/socket"
)

const patience = 5 * time.Millisecond

// pair gives the two ends of a socket: a server's and a child's.
func pair(t *testing.T) (server, child *socket.Socket) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	server, err = socket.New(fds[0], patience)
	require.NoError(t, err)
	child, err = socket.New(fds[1], patience)
	require.NoError(t, err)
	child.Plain()
	t.Cleanup(server.Close)
	t.Cleanup(child.Close)
	return server, child
}

func TestBothEndsSayMoreThanTheKernelHolds(t *testing.T) {
	t.Parallel()
	server, child := pair(t)
	text := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for _, ends := range [][2]*socket.Socket{{server, child}, {child, server}} {
		failed := make(chan error, 1)
		go func() {
			_, err := ends[0].Write(text)
			failed <- err
		}()
		// The writer finds the socket full, for longer than its patience, before anything is read.
		ends[1].SetPatience(0)
		got := make([]byte, len(text))
		_, err := io.ReadFull(ends[1], got)
		require.NoError(t, err)
		require.NoError(t, <-failed)
		require.True(t, bytes.Equal(text, got))
		require.Zero(t, ends[1].Buffered())
	}
}

func TestWriteNowDoesNotWait(t *testing.T) {
	t.Parallel()
	server, child := pair(t)
	text := make([]byte, 1<<22)
	n, err := server.WriteNow(text)
	require.NoError(t, err)
	require.Less(t, n, len(text))
	more, err := server.WriteNow(text)
	require.NoError(t, err)
	require.Zero(t, more)
	_, err = io.ReadFull(child, text[:n])
	require.NoError(t, err)
}

func TestWait(t *testing.T) {
	t.Parallel()
	server, child := pair(t)
	for _, s := range []*socket.Socket{server, child} {
		for _, d := range []time.Duration{0, time.Millisecond, patience, 4 * patience} { // within patience and beyond it
			began := time.Now()
			there, err := s.Wait(d)
			require.NoError(t, err)
			require.False(t, there)
			require.GreaterOrEqual(t, time.Since(began), d)
		}
	}
	_, err := server.Write([]byte("ab"))
	require.NoError(t, err)
	there, err := child.Wait(time.Hour)
	require.NoError(t, err)
	require.True(t, there)
	require.Equal(t, 2, child.Buffered())
	one := make([]byte, 1)
	_, err = child.Read(one)
	require.NoError(t, err)
	require.Equal(t, "a", string(one))
	require.Equal(t, 1, child.Buffered())
}

func TestTheEndOfTheSocket(t *testing.T) {
	t.Parallel()
	t.Run("the other end goes", func(t *testing.T) {
		t.Parallel()
		server, child := pair(t)
		child.Close()
		there, err := server.Wait(time.Hour)
		require.NoError(t, err)
		require.True(t, there)
		_, err = server.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		_, err = server.Write([]byte("x"))
		require.ErrorIs(t, err, unix.EPIPE)
	})
	t.Run("a reader that waits comes back from a shutdown, and the descriptor stays until then", func(t *testing.T) {
		t.Parallel()
		server, _ := pair(t)
		came := make(chan error, 1)
		go func() {
			_, err := server.Read(make([]byte, 1))
			came <- err
		}()
		server.Shutdown()
		require.ErrorIs(t, <-came, io.EOF)
		server.Close()
		_, err := server.Read(make([]byte, 1))
		require.Error(t, err)
		server.Shutdown() // after the end it is nothing
	})
}
