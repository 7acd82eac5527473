// Package testserver runs the real evalrpc server for tests.
package testserver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Variable of the environment that names the server's command.
const Variable = "EVALRPC_SERVER"

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 20 * time.Second
)

var ready = regexp.MustCompile(`^evalrpc-server ready: grpc=(\S+)`)

// Server is a running server.
type Server struct {
	// Address as host:port.
	Address string

	command *exec.Cmd
	exited  chan struct{}
	log     *tail
}

// Start runs a server on a free port, or on the port of listen if that is not empty, with its data in a folder. The
// environment may be extended.
func Start(dataDir, listen string, environment ...string) (*Server, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	arguments := append(program[1:], "serve", "--listen", listen, "--http-listen", "", "--data-dir", dataDir)
	server := &Server{command: exec.Command(program[0], arguments...), exited: make(chan struct{}), log: &tail{}}
	server.command.Env = append(clean(os.Environ()), environment...)
	server.command.Stderr = server.log
	output, err := server.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := server.command.Start(); err != nil {
		return nil, err
	}
	addresses := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if match := ready.FindStringSubmatch(lines.Text()); match != nil {
				addresses <- match[1]
			}
		}
		_ = server.command.Wait() // how it ended shows in its log
		close(server.exited)
	}()
	select {
	case server.Address = <-addresses:
		return server, nil
	case <-server.exited:
	case <-time.After(startTimeout):
		server.Kill()
	}
	return nil, fmt.Errorf("%s did not start: %s", strings.Join(program, " "), server.log)
}

// Kill ends the server at once.
func (s *Server) Kill() {
	_ = s.command.Process.Kill() // an error says that it has ended
	<-s.exited
}

// Stop ends the server in order.
func (s *Server) Stop() {
	_ = s.command.Process.Signal(syscall.SIGTERM) // likewise
	select {
	case <-s.exited:
	case <-time.After(stopTimeout):
		s.Kill()
	}
}

// Log returns the last of what the server wrote to its standard error.
func (s *Server) Log() string { return s.log.String() }

// find returns the command of the server: what the environment says, or that of the repository's virtual environment.
func find() ([]string, error) {
	if named := strings.Fields(os.Getenv(Variable)); len(named) > 0 {
		return named, nil
	}
	folder, err := os.Getwd()
	for err == nil {
		candidate := filepath.Join(folder, ".venv", "bin", "evalrpc-server")
		if _, missing := os.Stat(candidate); missing == nil {
			return []string{candidate}, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			err = errors.New("no .venv/bin/evalrpc-server above the working directory: run `make setup`, or name the " +
				"server's command in " + Variable)
		}
		folder = parent
	}
	return nil, err
}

// clean leaves out what would reach from the developer's environment into the tests.
func clean(environment []string) []string {
	var kept []string
	for _, each := range environment {
		if !strings.HasPrefix(each, "EVALRPC_") && !strings.HasPrefix(each, "LANGFUSE_") {
			kept = append(kept, each)
		}
	}
	return kept
}

// tail keeps the end of what is written to it.
type tail struct {
	mutex sync.Mutex
	kept  bytes.Buffer
}

const tailBytes = 16 * 1024

func (t *tail) Write(text []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.kept.Write(text)
	if excess := t.kept.Len() - tailBytes; excess > 0 {
		t.kept.Next(excess)
	}
	return len(text), nil
}

func (t *tail) String() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.kept.String()
}
