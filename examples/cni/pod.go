// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/vppkit/vppkit/examples/cni/kube"
	"github.com/vppkit/vppkit/examples/cni/netconf"
)

// sharedVolume is a pod's volume that its sockets are in, if it has one.
const sharedVolume = "shared-dir"

// pod is that of an attachment, by the API server; nil: there is no kubeconfig, or the runtime is not
// Kubernetes'.
type pod struct {
	api *kube.Client
	kube.Ref
}

// apiPatience bounds how long a command waits for the API server, each time that it asks.
const apiPatience = 5 * time.Second

// podArgs are what Kubernetes' runtimes say in CNI_ARGS.
type podArgs struct {
	types.CommonArgs

	K8S_POD_NAMESPACE, K8S_POD_NAME, K8S_POD_UID types.UnmarshallableString //nolint:revive // their names
}

func podOf(c *netconf.Conf, args string) (*pod, error) {
	if c.KubeConfig == "" {
		return nil, nil
	}
	of := podArgs{CommonArgs: types.CommonArgs{IgnoreUnknown: true}}
	if err := types.LoadArgs(args, &of); err != nil {
		return nil, types.NewError(types.ErrInvalidEnvironmentVariables, "CNI_ARGS", err.Error())
	}
	if of.K8S_POD_NAME == "" {
		return nil, nil
	}
	api, err := kube.Open(c.KubeConfig)
	if err != nil {
		return nil, types.NewError(types.ErrInvalidNetworkConfig, "the API server cannot be asked", err.Error())
	}
	return &pod{api, kube.Ref{Namespace: string(of.K8S_POD_NAMESPACE), Name: string(of.K8S_POD_NAME), UID: string(of.K8S_POD_UID)}}, nil
}

// dir is the directory on the host of the pod's volume of sockets; "": there is none.
func (p *pod) dir(ctx context.Context) (string, error) {
	if p == nil {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, apiPatience)
	defer cancel()
	is, err := p.api.Pod(ctx, p.Ref)
	if err != nil {
		return "", types.NewError(types.ErrTryAgainLater, "the pod is not to be found", err.Error())
	}
	dir, err := is.HostDir(sharedVolume)
	if err != nil {
		return "", types.NewError(types.ErrInvalidNetworkConfig, "the pod's volume "+sharedVolume, err.Error())
	}
	return dir, nil
}

// socketDir is the directory of the socket in a result, or ""; results before 1.0.0 have no place for it.
func socketDir(r *types100.Result, ifName string) string {
	for _, i := range r.Interfaces {
		if i.Name == ifName && i.SocketPath != "" {
			return filepath.Dir(i.SocketPath)
		}
	}
	return ""
}

// tell adds what is handed over to the list in the pod's annotation. An interface has one entry: that of a
// container which was in the pod before is replaced.
func (p *pod) tell(ctx context.Context, h *netconf.HandOver) error {
	return p.change(ctx, func(list []netconf.HandOver) []netconf.HandOver {
		at := slices.IndexFunc(list, func(o netconf.HandOver) bool { return o.IfName == h.IfName })
		if at < 0 {
			return append(list, *h)
		}
		list[at] = *h
		return list
	})
}

// forget takes an attachment off the list. A pod that has gone has taken it along.
func (p *pod) forget(ctx context.Context, a *Attachment) error {
	err := p.change(ctx, func(list []netconf.HandOver) []netconf.HandOver { return slices.DeleteFunc(list, a.is) })
	if errors.Is(err, kube.ErrGone) {
		return nil
	}
	return err
}

// is says whether a hand-over names the attachment.
func (a *Attachment) is(h netconf.HandOver) bool {
	return h.ContainerID == a.ContainerID && h.IfName == a.IfName && h.Name == a.Network
}

// change does f to the list in the pod's annotation. What f leaves as it is, is not written.
func (p *pod) change(ctx context.Context, f func([]netconf.HandOver) []netconf.HandOver) error {
	if p == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, apiPatience)
	defer cancel()
	return p.api.Annotate(ctx, p.Ref, func(is *kube.Pod) (map[string]*string, error) {
		list, err := listed(is)
		if err != nil {
			return nil, err
		}
		to := f(slices.Clone(list))
		if len(to) == len(list) && (len(to) == 0 || reflect.DeepEqual(to, list)) {
			return nil, nil
		}
		step("kube PATCH " + p.Name)
		if len(to) == 0 {
			return map[string]*string{netconf.AnnotationData: nil, netconf.AnnotationDir: nil}, nil
		}
		text, err := json.Marshal(to)
		data, dir := string(text), cmp.Or(is.MountPath(sharedVolume), netconf.MappedDir)
		return map[string]*string{netconf.AnnotationData: &data, netconf.AnnotationDir: &dir}, err
	})
}

// check says in what the annotation differs from what ADD has told.
func (p *pod) check(ctx context.Context, a *Attachment, want netconf.End) error {
	if p == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, apiPatience)
	defer cancel()
	is, err := p.api.Pod(ctx, p.Ref)
	if err != nil {
		return err
	}
	list, err := listed(is)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(list, a.is)
	if at < 0 {
		return fmt.Errorf("the pod's annotation %s has nothing of interface %s", netconf.AnnotationData, a.IfName)
	}
	if got := list[at].Config; got != want {
		return fmt.Errorf("the pod's annotation has %+v, and is to have %+v", got, want)
	}
	return nil
}

// listed is what a pod was told of its interfaces.
func listed(p *kube.Pod) (list []netconf.HandOver, err error) {
	if text := p.Metadata.Annotations[netconf.AnnotationData]; text != "" {
		if err = json.Unmarshal([]byte(text), &list); err != nil {
			err = fmt.Errorf("the pod's annotation %s: %w", netconf.AnnotationData, err)
		}
	}
	return list, err
}
