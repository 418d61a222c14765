// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// One agent serves a VPP, and one serves a host name, or they would undo each other's work. A
// VPP is locked by a file beside its socket, which ends with the process. A host is locked by a key under a lease,
// state/<host>/agent, that says on which VPP its agent is: so who has that VPP's lock knows that the one
// before is dead, and waits for nobody.

// errElsewhere: of a host that another agent has, which was there first, or came while this one
// was away from etcd for too long.
var errElsewhere = errors.New("another agent serves this host")

// lockVPP takes the VPP's lock, or says who has it.
func (a *agent) lockVPP() error {
	if a.vppLock != nil {
		return nil
	}
	f, err := openLock(a.vpp)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // there is no VPP at all
	}
	if err != nil {
		return fmt.Errorf("the lock of VPP: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return fmt.Errorf("another agent serves the VPP at %s: %w", a.vpp, err)
	}
	a.vppLock = f
	return nil
}

// openLock opens the file beside a VPP's socket that is locked. It is of the socket's group, as who may speak
// to VPP may lock it; whoever cannot make it there locks the directory.
func openLock(socket string) (*os.File, error) {
	name := socket + ".net-vpp.lock"
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o640)
	if err == nil {
		if of, ok := stat(socket); ok {
			_ = f.Chown(-1, int(of.Gid)) // or it is its maker's alone
		}
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		if f, err = os.Open(name); err != nil {
			f, err = os.Open(filepath.Dir(socket))
		}
	}
	return f, err
}

// who tells this agent from those on other VPPs. It is asked once: with no file descriptor left it would look like another.
func (a *agent) who() (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	file := "none"
	if a.vppLock != nil {
		info, err := a.vppLock.Stat()
		if err != nil {
			return "", err
		}
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			file = fmt.Sprintf("%d.%d", s.Dev, s.Ino)
		}
	}
	return fmt.Sprintf(`{"vpp":%q,"lock":%q,"boot":%q}`, a.vpp, file, strings.TrimSpace(string(boot))), nil
}

// ownTTL is how long a host waits for an agent on another VPP that died.
const ownTTL = 60 * time.Second

// own returns when this agent is the only one of its VPP and of its host. It says for what it
// waits. Lost tells that another one has taken its place; release has the next one not wait.
func (a *agent) own(ctx context.Context) (lost <-chan error, release func(), err error) {
	pause := backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond),
		backoff.WithMaxInterval(2*time.Second), backoff.WithMaxElapsedTime(0))
	news := newsOf(5 * time.Second)
	var lease clientv3.LeaseID
	for {
		err := a.lockVPP()
		if err == nil {
			a.self, err = a.who()
		}
		if err == nil {
			short, cancel := context.WithTimeout(ctx, 5*time.Second)
			lease, err = a.lockHost(short, 0)
			cancel()
		}
		if err == nil {
			break
		}
		a.lost(fmt.Sprintf("waits: %v", err))
		if ctx.Err() == nil && news(err) {
			a.log.Warn("waiting", "err", err)
		}
		select {
		case <-ctx.Done():
			a.unlockVPP()
			return nil, nil, ctx.Err()
		case <-time.After(pause.NextBackOff()):
		}
	}
	a.lost("etcd is not listed yet")
	gone := make(chan error, 1)
	keeping, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := a.keepHost(keeping, &lease); err != nil {
			gone <- err
		}
	}()
	return gone, func() {
		stop()
		<-done
		if lease != 0 {
			short, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_, _ = a.etcd.Revoke(short, lease) // or it ends by itself
		}
		a.unlockVPP()
	}, nil
}

func (a *agent) unlockVPP() {
	if a.vppLock != nil {
		_ = a.vppLock.Close()
		a.vppLock = nil
	}
}

// lockHost takes the host's lock under a lease, a new one if there is none. An etcd whose disk
// is full gives none; then it is enough that nobody else has it.
func (a *agent) lockHost(ctx context.Context, lease clientv3.LeaseID) (clientv3.LeaseID, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	key, who := a.site.State()+"agent", a.self
	got, err := a.etcd.Get(ctx, key)
	if err != nil {
		return 0, fmt.Errorf("etcd at %s: %w", strings.Join(a.etcd.Endpoints(), ", "), err)
	}
	at := int64(0)
	if len(got.Kvs) > 0 {
		at = got.Kvs[0].ModRevision
		if holder := string(got.Kvs[0].Value); holder != who {
			return 0, fmt.Errorf("%w: %s, %.200s", errElsewhere, a.site.Host, holder)
		}
		if lease != 0 && got.Kvs[0].Lease == int64(lease) {
			return lease, nil
		}
	}
	if lease == 0 {
		l, err := a.etcd.Grant(ctx, int64(ownTTL.Seconds()))
		if errors.Is(err, rpctypes.ErrNoSpace) {
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("etcd: lease: %w", err)
		}
		lease = l.ID
	}
	done, err := a.etcd.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", at)).
		Then(clientv3.OpPut(key, who, clientv3.WithLease(lease))).Commit()
	switch {
	case errors.Is(err, rpctypes.ErrNoSpace):
		return lease, nil
	case err != nil:
		return 0, fmt.Errorf("etcd: %w", err)
	case !done.Succeeded:
		return 0, fmt.Errorf("%w, and begins just now: %s", errElsewhere, a.site.Host)
	}
	return lease, nil
}

// keepHost keeps the host's lock until ctx ends, or somebody else has it. That etcd is away is no
// reason to leave a VPP alone.
func (a *agent) keepHost(ctx context.Context, lease *clientv3.LeaseID) error {
	for {
		a.untouched(ctx, *lease)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		if *lease != 0 {
			if _, err := a.etcd.KeepAliveOnce(short, *lease); errors.Is(err, rpctypes.ErrLeaseNotFound) {
				*lease = 0
			}
		}
		now, err := a.lockHost(short, *lease)
		cancel()
		switch {
		case err == nil:
			*lease = now
		case errors.Is(err, errElsewhere):
			return err
		}
	}
}

// untouched returns when something happens to the host's lock, or to its lease.
func (a *agent) untouched(ctx context.Context, lease clientv3.LeaseID) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if lease == 0 {
		return
	}
	kept, err := a.etcd.KeepAlive(ctx, lease)
	if err != nil {
		return
	}
	touched := a.etcd.Watch(ctx, a.site.State()+"agent")
	for {
		select {
		case _, ok := <-kept:
			if !ok {
				return
			}
		case <-touched:
			return
		}
	}
}
