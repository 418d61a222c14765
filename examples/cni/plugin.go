// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/containernetworking/cni/pkg/ns"
	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/vppkit/vppkit/examples/cni/netconf"
)

// limit bounds a command.
const limit = 60 * time.Second

// command is what all commands for one attachment begin with.
type command struct {
	*Attachment
	ipam   ipam
	pod    *pod
	engine *Engine // nil: the data plane does not run
	again  bool    // an ADD before this one has made it
	began  bool    // this one has made something
	end    context.CancelFunc
}

// begin reads the configuration. Only of ADD and CHECK the container must be to be found.
func begin(args *skel.CmdArgs, strict bool) (context.Context, *command, error) {
	conf, err := netconf.Parse(args.StdinData)
	if err != nil {
		return nil, nil, err
	}
	startLog(conf)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	p, err := podOf(conf, args.Args)
	dir := ""
	if err == nil {
		dir, err = p.dir(ctx)
	}
	switch {
	case err != nil && strict:
		cancel()
		return nil, nil, err
	case err != nil: // it may have gone, and the API server, too
		slog.Warn("the pod is not to be found", "err", err)
		dir = cmp.Or(dirOf(conf, args.IfName), linked(conf, args.ContainerID, args.IfName))
	}
	a, err := newAttachment(conf, args.ContainerID, args.IfName, dir)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	return ctx, &command{Attachment: a, ipam: ipamOf(conf, args.StdinData), pod: p, end: cancel}, nil
}

// dirOf is the directory of the socket by the result of ADD, if the runtime gives that to DEL.
func dirOf(c *netconf.Conf, ifName string) string {
	r, err := before(c)
	if err != nil || r == nil {
		return ""
	}
	return socketDir(r, ifName)
}

// enter gets at the data plane.
func (c *command) enter(ctx context.Context, absent time.Duration) error {
	e, err := open(ctx, c.Conf, absent, c.Dir())
	if err == nil {
		c.engine = e
	}
	return err
}

// alone does f while no other command is at work in the data plane.
func (c *command) alone(ctx context.Context, f func() error) error {
	unlock, err := lock(ctx, control(c.Conf))
	if err != nil {
		return types.NewError(types.ErrTryAgainLater, "the data plane is busy", err.Error())
	}
	defer unlock()
	return f()
}

func (c *command) close() {
	if c.engine != nil {
		_ = c.engine.Close()
	}
	c.end()
}

// add makes an attachment, whatever of it is there already, and prints the result.
func add(args *skel.CmdArgs) error {
	ctx, c, err := begin(args, true)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.refused(args); err != nil {
		return err // and nothing is to be taken back
	}
	release, err := c.claim(ctx)
	if err != nil {
		return err
	}
	defer release()
	result, err := c.add(ctx, args.Netns)
	if err != nil {
		slog.Error("ADD failed", "container", c.ContainerID, "interface", c.IfName, "err", err)
		return c.undo(ctx, coded(err))
	}
	slog.Info("ADD", "container", c.ContainerID, "interface", c.IfName, "network", c.Network, "socket", c.Socket)
	var out bytes.Buffer
	got, err := result.GetAsVersion(c.Conf.CNIVersion)
	if err == nil {
		err = got.PrintTo(&out)
	}
	if err == nil {
		_, err = os.Stdout.Write(out.Bytes())
	}
	if err != nil {
		return c.undo(ctx, err)
	}
	return nil
}

// refused says what of an ADD cannot be, whatever there is.
func (c *command) refused(args *skel.CmdArgs) error {
	if err := c.Conf.Unserved(); err != nil {
		return types.NewError(types.ErrInvalidNetworkConfig, "runtimeConfig", err.Error())
	}
	if err := noIPAM(c.Conf); err != nil {
		return err
	}
	if override := args.NetnsOverride; override == "1" || strings.EqualFold(override, "true") {
		return nil
	}
	switch own, err := ns.CheckNetNS(args.Netns); {
	case err != nil:
		return err
	case own:
		return types.NewError(types.ErrInvalidNetNS, "CNI_NETNS is the host's own network namespace", args.Netns)
	}
	return nil
}

// undo takes back what an ADD has made before it failed, and keeps the error's code. What an ADD
// before it has made is not its own: a container may live by that, and the runtime's DEL takes all.
func (c *command) undo(ctx context.Context, err error) error {
	if c.again || !c.began {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit/2)
	defer cancel()
	also := c.del(ctx)
	if also == nil {
		return err
	}
	failed := types.NewError(types.ErrInternal, err.Error(), "")
	var said *types.Error
	if errors.As(err, &said) {
		failed = types.NewError(said.Code, said.Msg, said.Details)
	}
	failed.Details += "; and not all could be taken back: " + also.Error()
	return failed
}

func (c *command) add(ctx context.Context, netns string) (*types100.Result, error) {
	prev, err := before(c.Conf)
	if err != nil {
		return nil, err
	}
	s := share{c.Attachment}
	had, err := lease{c.Attachment}.read()
	if err != nil {
		return nil, types.NewError(types.ErrIOFailure, "what was leased cannot be read", err.Error())
	}
	c.again = had != nil
	if told := s.read(); c.ipam.plugin == "" { // then nothing but that tells, which the container can write
		c.again = told != nil && c.is(*told)
	}
	if err := errors.Join(s.check(), s.taken()); err != nil {
		return nil, types.NewError(types.ErrInvalidNetworkConfig, "the socket cannot be there", err.Error())
	}
	if err := c.enter(ctx, patience); err != nil {
		return nil, types.NewError(types.ErrTryAgainLater, "no way to the data plane", err.Error())
	}
	c.began = true
	if !c.again { // GC knows by it of what follows, the addresses included
		if err := c.link(); err != nil {
			return nil, types.NewError(types.ErrIOFailure, "the pod's volume cannot be noted", err.Error())
		}
		if err := s.write(c.HandOver(&types100.Result{CNIVersion: types100.ImplementedSpecVersion})); err != nil {
			return nil, cannotTell(err)
		}
	}
	leased, err := c.ipam.add(ctx, had)
	if err == nil && c.ipam.plugin != "" {
		err = lease{c.Attachment}.write(leased)
	}
	if err != nil {
		return nil, err
	}
	if c.Conf.Host.NetType == netconf.Interface {
		narrow(leased)
	}
	leased.DNS = dns(c.Conf, leased.DNS)
	for _, ip := range leased.IPs {
		c.IPs = append(c.IPs, *ip)
	}
	if err := s.write(c.HandOver(leased)); err != nil {
		return nil, cannotTell(err)
	}
	var port Port
	err = c.alone(ctx, func() (err error) { port, err = c.engine.Renew(ctx, c.Attachment); return err })
	if err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	if err := c.tell(ctx, c.HandOver(leased)); err != nil {
		return nil, err
	}
	return c.result(prev, leased, port, netns), nil
}

func cannotTell(err error) error {
	if group := new(user.UnknownGroupError); errors.As(err, group) {
		return err
	}
	return types.NewError(types.ErrIOFailure, "the container cannot be told", err.Error())
}

// tell says what was made, to Multus by a file, and to the pod by its annotation.
func (c *command) tell(ctx context.Context, h *netconf.HandOver) error {
	if file := c.Conf.RuntimeConfig.CNIDeviceInfoFile; file != "" {
		ours, err := writeOnce(file, c.Conf.Container.Device(c.Socket))
		if err != nil {
			return types.NewError(types.ErrIOFailure, "Multus cannot be told", err.Error())
		}
		if !ours {
			slog.Warn("CNIDeviceInfoFile was there before, and stays as it is", "file", file)
		}
	}
	if err := c.pod.tell(ctx, h); err != nil {
		return types.NewError(types.ErrTryAgainLater, "the pod cannot be told", err.Error())
	}
	return nil
}

// del takes an attachment away, whatever of it is left.
func del(args *skel.CmdArgs) error {
	ctx, c, err := begin(args, false)
	if err != nil {
		return err
	}
	defer c.close()
	release, err := c.claim(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := c.enter(ctx, time.Second); err != nil && !errors.Is(err, errGone) {
		return types.NewError(types.ErrTryAgainLater, "no way to the data plane", err.Error())
	}
	if err := c.del(ctx); err != nil {
		slog.Error("DEL", "container", c.ContainerID, "interface", c.IfName, "err", err)
		return err
	}
	slog.Info("DEL", "container", c.ContainerID, "interface", c.IfName, "network", c.Network)
	return nil
}

// unmake takes the interface out of the data plane, and gives the path of its socket if it was there. If
// the data plane is gone, or goes meanwhile, so is all that it held.
func (c *command) unmake(ctx context.Context) (socket string, err error) {
	for range 2 {
		if c.engine == nil {
			return socket, nil
		}
		err = c.alone(ctx, func() error {
			found, err := c.engine.Remove(ctx, c.Attachment)
			socket = cmp.Or(found, socket)
			return err
		})
		if !lost(err) {
			return socket, err
		}
		_ = c.engine.Close() // another one may run by now
		c.engine = nil
		if again := c.enter(ctx, time.Second); errors.Is(again, errGone) {
			return socket, nil
		} else if again != nil {
			return socket, err
		}
	}
	return socket, err
}

// del takes the interface away first, and then gives the address back: who gets it next does so when nothing
// else has it. The hand-over file goes last: who dies before that tries again, and GC knows by it of the
// address.
func (c *command) del(ctx context.Context) error {
	socket, err := c.unmake(ctx)
	if err != nil {
		return coded(err)
	}
	var errs []error
	if file := c.Conf.RuntimeConfig.CNIDeviceInfoFile; file != "" {
		errs = append(errs, removeOnce(file, c.Conf.Container.Device(cmp.Or(socket, c.Socket))))
	}
	if err := c.pod.forget(ctx, c.Attachment); err != nil {
		slog.Warn("the pod's annotation stays", "err", err) // as long as the pod, which is going
	}
	if err := c.ipam.del(ctx); err != nil {
		return together(append(errs, err)...)
	}
	errs = append(errs, lease{c.Attachment}.remove(), share{c.Attachment}.remove(socket))
	if dir := filepath.Dir(socket); socket != "" && dir != c.Dir() {
		// Its pod is gone, and nobody tells any more where its volume was.
		there := *c.Attachment
		there.Socket = socket
		errs = append(errs, share{&there}.remove(socket))
	}
	return together(append(errs, c.unlink())...)
}

// check compares an attachment with what is there.
func check(args *skel.CmdArgs) error {
	ctx, c, err := begin(args, true)
	if err != nil {
		return err
	}
	defer c.close()
	prev, err := before(c.Conf)
	if err != nil {
		return err
	}
	if prev == nil {
		return types.NewError(types.ErrInvalidNetworkConfig, "CHECK needs a prevResult", "")
	}
	if err := c.check(ctx, own(prev, c.IfName)); err != nil {
		slog.Warn("CHECK", "container", c.ContainerID, "interface", c.IfName, "err", err)
		return err
	}
	return nil
}

func (c *command) check(ctx context.Context, prev *types100.Result) error {
	for _, ip := range prev.IPs {
		c.IPs = append(c.IPs, *ip)
	}
	for _, i := range prev.Interfaces {
		if i.Name == c.IfName && i.SocketPath != "" && i.SocketPath != c.Socket {
			return fmt.Errorf("socket is %s by prevResult, and %s by the configuration", i.SocketPath, c.Socket)
		}
	}
	told := share{c.Attachment}.read()
	switch {
	case told == nil:
		return fmt.Errorf("the hand-over file %s is not there", filepath.Join(c.Dir(), c.HandOverFile()))
	case told.ContainerID != c.ContainerID, told.IfName != c.IfName, told.Name != c.Network:
		return fmt.Errorf("the hand-over file is of interface %s of %s in %s", told.IfName, told.ContainerID, told.Name)
	case !reflect.DeepEqual(told.Config, c.HandOver(prev).Config):
		return fmt.Errorf("the container was told %+v, and is to be told %+v", told.Config, c.HandOver(prev).Config)
	}
	if err := sameAddresses(&told.IPResult, prev); err != nil {
		return err
	}
	if err := c.pod.check(ctx, c.Attachment, told.Config); err != nil {
		return err
	}
	if err := c.enter(ctx, patience); err != nil {
		return types.NewError(types.ErrTryAgainLater, "no way to the data plane", err.Error())
	}
	err := c.alone(ctx, func() error {
		return errors.Join(c.engine.Check(ctx, c.Attachment), c.engine.NoMore(ctx, c.Attachment))
	})
	if err != nil {
		if lost(err) {
			return coded(err)
		}
		return err
	}
	return c.ipam.check(ctx, prev)
}
