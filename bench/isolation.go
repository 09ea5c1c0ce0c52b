package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/picloud/picloud/internal/sandbox/socket"
)

// What a process of its own costs at the least, on this machine: a child that only computes, for as long as a run takes in process, and a server that only
// asks it. No pool of processes does better, whatever it saves; what lies between is ours.

// spinnerArgument makes this program such a child; a number of rounds follows.
const spinnerArgument = "spinner"

// The sizes of a short run and its end on the socket, in bytes.
const (
	askedBytes    = 400
	answeredBytes = 200
)

// spinPatience is that of the sandbox, about.
const spinPatience = 4 * time.Millisecond

// spin computes for so many rounds; inlined, it would be another loop everywhere.
//
//go:noinline
func spin(rounds int) {
	x := uint64(1)
	for range rounds {
		x = x*6364136223846793005 + 1442695040888963407 // Knuth's, as good as any
	}
	runtime.KeepAlive(x) // else nothing of it need be computed
}

// spinFor gives the number of rounds that take so long.
func spinFor(d time.Duration) int {
	const trial = 1 << 24
	began := time.Now()
	spin(trial)
	return int(trial * float64(d) / float64(time.Since(began)))
}

// beSpinner serves standard input until its end.
func beSpinner(argument string) error {
	rounds, err := strconv.Atoi(argument)
	if err != nil {
		return fmt.Errorf("read rounds: %w", err)
	}
	s, err := socket.New(0, spinPatience)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	s.Plain()
	question, answer := make([]byte, askedBytes), make([]byte, answeredBytes)
	for {
		if _, err := io.ReadFull(s, question); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("serve: %w", err)
		}
		spin(rounds)
		if _, err := s.Write(answer); err != nil {
			return fmt.Errorf("serve: %w", err)
		}
	}
}

// spinners are spinning children, one a worker.
type spinners []*socket.Socket

func startSpinners(n, rounds int) (all spinners, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	for range n {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return all, fmt.Errorf("make socket pair: %w", err)
		}
		theirs := os.NewFile(uintptr(fds[1]), "spinner")
		ours, err := socket.New(fds[0], spinPatience)
		if err != nil {
			return all, fmt.Errorf("make socket: %w", err)
		}
		all = append(all, ours)
		child := exec.Command(self, spinnerArgument, strconv.Itoa(rounds)) //nolint:gosec // G204: this program
		child.Stdin, child.Env = theirs, []string{"GOMAXPROCS=1"}
		err = child.Start()
		_ = theirs.Close()
		if err != nil {
			return all, fmt.Errorf("start spinner: %w", err)
		}
		go func() { _ = child.Wait() }()
	}
	return all, nil
}

// ask has one child compute.
func (all spinners) ask(worker int) error {
	if _, err := all[worker].Write(make([]byte, askedBytes)); err != nil {
		return fmt.Errorf("ask spinner: %w", err)
	}
	if _, err := io.ReadFull(all[worker], make([]byte, answeredBytes)); err != nil {
		return fmt.Errorf("hear spinner: %w", err)
	}
	return nil
}

// close ends the children.
func (all spinners) close() {
	for _, s := range all {
		s.Shutdown()
		s.Close()
	}
}
