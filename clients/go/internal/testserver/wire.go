package testserver

import (
	"io"
	"net"
	"sync"
)

// Wire relays TCP connections to a target, and resets them when told.
type Wire struct {
	listener net.Listener
	mutex    sync.Mutex
	target   string
	ends     map[net.Conn]bool
	relays   sync.WaitGroup
}

// NewWire starts a relay.
func NewWire(target string) (*Wire, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	wire := &Wire{listener: listener, target: target, ends: map[net.Conn]bool{}}
	wire.relays.Add(1)
	go wire.accept()
	return wire, nil
}

// Address returns where it listens.
func (w *Wire) Address() string { return w.listener.Addr().String() }

// SetTarget relays new connections to another target.
func (w *Wire) SetTarget(target string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.target = target
}

// Cut resets all connections; new ones are relayed again.
func (w *Wire) Cut() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for end := range w.ends {
		if connection, ok := end.(*net.TCPConn); ok {
			_ = connection.SetLinger(0) // closing then resets
		}
		_ = end.Close()
	}
	clear(w.ends)
}

// Close ends everything.
func (w *Wire) Close() {
	_ = w.listener.Close()
	w.Cut()
	w.relays.Wait()
}

func (w *Wire) accept() {
	defer w.relays.Done()
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.mutex.Lock()
		far, err := net.Dial("tcp", w.target)
		if err != nil {
			_ = near.Close()
			w.mutex.Unlock()
			continue
		}
		w.ends[near], w.ends[far] = true, true
		w.relays.Add(2)
		w.mutex.Unlock()
		go w.relay(near, far)
		go w.relay(far, near)
	}
}

func (w *Wire) relay(to, from net.Conn) {
	defer w.relays.Done()
	_, _ = io.Copy(to, from) // ends with either connection
	_ = to.Close()
	_ = from.Close()
	w.mutex.Lock()
	defer w.mutex.Unlock()
	delete(w.ends, to)
	delete(w.ends, from)
}
