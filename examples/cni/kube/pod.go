// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
)

// Pod is a pod, as far as it is used.
type Pod struct {
	Metadata struct {
		Namespace, Name, UID string
		ResourceVersion      string            `json:"resourceVersion"`
		Annotations          map[string]string `json:"annotations"`
	}
	Spec struct {
		Volumes []struct {
			Name     string
			HostPath *struct{ Path string } `json:"hostPath"`
		}
		Containers []struct {
			VolumeMounts []struct {
				Name      string
				MountPath string `json:"mountPath"`
			} `json:"volumeMounts"`
		}
	}
}

// ErrGone says that there is no such pod any more. Another one may have its name.
var ErrGone = errors.New("the pod has gone")

// A Ref is which pod; of one that is replaced by a namesake the UID tells. "": any.
type Ref struct{ Namespace, Name, UID string }

func (r Ref) path() string {
	return "/api/v1/namespaces/" + url.PathEscape(r.Namespace) + "/pods/" + url.PathEscape(r.Name)
}

// mirror is the annotation of a pod that stands for one from a file, with a UID of its own: the kubelet's is
// in it.
const mirror = "kubernetes.io/config.mirror"

// Pod reads a pod. It fails with ErrGone, or an *Error of the API server.
func (c *Client) Pod(ctx context.Context, r Ref) (*Pod, error) {
	var p Pod
	err := c.do(ctx, http.MethodGet, r.path(), nil, &p)
	var said *Error
	if errors.As(err, &said) && said.Code == http.StatusNotFound {
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	if err != nil {
		return nil, err
	}
	if m := p.Metadata.Annotations[mirror]; m != "" {
		p.Metadata.UID = m
	}
	if r.UID != "" && r.UID != p.Metadata.UID {
		return nil, fmt.Errorf("%w: %s/%s is another one now", ErrGone, r.Namespace, r.Name)
	}
	return &p, nil
}

// tries bounds how often Annotate begins anew because somebody else has changed the pod.
const tries = 20

// Annotate changes annotations: change gets those that the pod has, and returns those that are to be
// otherwise, nil for one that is to go. What others change at the same moment is kept: then the pod is
// read, and change called, again.
func (c *Client) Annotate(ctx context.Context, r Ref, change func(p *Pod) (map[string]*string, error)) error {
	for try := 1; ; try++ {
		p, err := c.Pod(ctx, r)
		if err != nil {
			return err
		}
		to, err := change(p)
		if err != nil || len(to) == 0 {
			return err
		}
		patch := map[string]any{"metadata": map[string]any{"resourceVersion": p.Metadata.ResourceVersion, "annotations": to}}
		err = c.do(ctx, http.MethodPatch, r.path(), patch, &Pod{})
		var said *Error
		switch {
		case !errors.As(err, &said):
			return err
		case said.Code == http.StatusNotFound:
			return fmt.Errorf("%w: %w", ErrGone, err)
		case said.Code != http.StatusConflict || try == tries:
			return err
		}
	}
}

// HostDir is the directory on the host of the pod's volume of this name; "": the pod has none. It is an
// error if the volume is not of hostPath: what a kubelet makes for an emptyDir everybody can write to, and
// its path leaves a socket's name five bytes.
func (p *Pod) HostDir(volume string) (string, error) {
	for _, v := range p.Spec.Volumes {
		switch {
		case v.Name != volume:
		case v.HostPath == nil:
			return "", fmt.Errorf("volume %s of pod %s is no hostPath: want one, of a directory that only root can write to", volume, p.Metadata.Name)
		case !filepath.IsAbs(v.HostPath.Path):
			return "", fmt.Errorf("volume %s of pod %s is at %q: want an absolute path", volume, p.Metadata.Name, v.HostPath.Path)
		default:
			return filepath.Clean(v.HostPath.Path), nil
		}
	}
	return "", nil
}

// MountPath is where the first container that has a volume of this name sees it; "": none.
func (p *Pod) MountPath(volume string) string {
	for _, c := range p.Spec.Containers {
		for _, m := range c.VolumeMounts {
			if m.Name == volume {
				return m.MountPath
			}
		}
	}
	return ""
}
