// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Systemd tells systemd, by NOTIFY_SOCKET, how a service stands. Its zero value tells nobody, as does
// that of a process that systemd did not start.
type Systemd struct {
	socket   string
	watchdog time.Duration // systemd wants a sign of life within this; 0: it does not
}

// NewSystemd reads from the environment what systemd wants to be told, if it is of this process.
func NewSystemd() Systemd {
	s := Systemd{socket: os.Getenv("NOTIFY_SOCKET")}
	micros, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if pid := os.Getenv("WATCHDOG_PID"); err == nil && micros > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		s.watchdog = time.Duration(micros) * time.Microsecond
	}
	return s
}

// Ready says that the service has started. Told with Type=notify, systemd waits for it.
func (s Systemd) Ready() error { return s.tell("READY=1") }

// Status is what systemctl status shows.
func (s Systemd) Status(text string) error {
	return s.tell("STATUS=" + strings.ReplaceAll(text, "\n", "; "))
}

// Stopping says that the service is about to end.
func (s Systemd) Stopping() error { return s.tell("STOPPING=1") }

// Watch gives signs of life until ctx ends, as long as alive says so: it should ask what would
// hang if the service did. Without a watchdog it returns at once. A sign that cannot be given is no reason to end:
// systemd acts if none comes for long.
func (s Systemd) Watch(ctx context.Context, alive func() error) error {
	if s.socket == "" || s.watchdog == 0 {
		return nil
	}
	tick := time.NewTicker(s.watchdog / 3)
	defer tick.Stop()
	for {
		if err := alive(); err != nil {
			_ = s.Status(err.Error())
		} else {
			_ = s.tell("WATCHDOG=1")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (s Systemd) tell(text string) error {
	if s.socket == "" {
		return nil
	}
	name := s.socket
	if name[0] == '@' { // an abstract one
		name = "\x00" + name[1:]
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err == nil {
		_, err = c.Write([]byte(text))
		err = firstOf(err, c.Close())
	}
	if err != nil {
		return fmt.Errorf("systemd: %s: %w", s.socket, err)
	}
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
