// SPDX-License-Identifier: Apache-2.0

// Package kubetest is an API server for tests, of pods only: it knows GET and merge patches, resource
// versions and tokens, and nothing else of Kubernetes.
package kubetest

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Server holds pods. Its zero value is not of use.
type Server struct {
	*httptest.Server
	token string

	mu      sync.Mutex
	pods    map[string]map[string]any // by path
	version int
	patches int
	strange int // how many patches from now come after somebody else's
}

// New starts a server, for as long as t lasts.
func New(t testing.TB) *Server {
	s := &Server{token: "the-secret-of-" + filepath.Base(t.Name()), pods: map[string]map[string]any{}}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

// Token is what users have to show; no log may have it.
func (s *Server) Token() string { return s.token }

// Kubeconfig writes one for the server into a directory, and gives its path.
func (s *Server) Kubeconfig(t testing.TB, dir string) string {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	text := fmt.Sprintf(`# written by a test
apiVersion: v1
kind: Config
current-context: it
contexts: [{name: it, context: {cluster: here, user: me}}, {name: other, context: {cluster: there, user: me}}]
clusters:
- name: there
  cluster: {server: "https://192.0.2.1:6443"}
- name: here
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: me
  user:
    token: %q
`, s.URL, base64.StdEncoding.EncodeToString(ca), s.token)
	path := filepath.Join(dir, "kubeconfig")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func path(namespace, name string) string { return "/api/v1/namespaces/" + namespace + "/pods/" + name }

// Put has a pod with a volume "shared-dir", at hostPath on the host and at mountPath in its container;
// hostPath "": there is none.
func (s *Server) Put(namespace, name, uid, hostPath, mountPath string, annotations map[string]any) {
	spec := map[string]any{"containers": []any{map[string]any{"name": "c"}}}
	if hostPath != "" {
		spec = map[string]any{
			"volumes": []any{map[string]any{"name": "podinfo", "downwardAPI": map[string]any{}}, map[string]any{"name": "shared-dir", "hostPath": map[string]any{"path": hostPath}}},
			"containers": []any{
				map[string]any{"name": "sidecar"},
				map[string]any{"name": "c", "volumeMounts": []any{map[string]any{"name": "shared-dir", "mountPath": mountPath}}},
			},
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.pods[path(namespace, name)] = map[string]any{"kind": "Pod", "spec": spec, "metadata": map[string]any{
		"namespace": namespace, "name": name, "uid": uid, "annotations": annotations, "resourceVersion": strconv.Itoa(s.version),
	}}
}

// Delete removes a pod.
func (s *Server) Delete(namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pods, path(namespace, name))
}

// Annotations are those of a pod.
func (s *Server) Annotations(namespace, name string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, _ := s.pods[path(namespace, name)]["metadata"].(map[string]any)["annotations"].(map[string]any)
	return maps.Clone(all)
}

// Patches counts those that came so far.
func (s *Server) Patches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.patches
}

// Interfere has somebody else annotate the pod right before each of the next n patches.
func (s *Server) Interfere(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strange = n
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fail := func(code int, message string) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "status": "Failure", "code": code, "message": message})
	}
	if r.Header.Get("Authorization") != "Bearer "+s.token {
		fail(http.StatusUnauthorized, "Unauthorized")
		return
	}
	pod := s.pods[r.URL.Path]
	if pod == nil {
		fail(http.StatusNotFound, fmt.Sprintf("pods %q not found", filepath.Base(r.URL.Path)))
		return
	}
	if r.Method == http.MethodPatch {
		if code, why := s.patch(pod["metadata"].(map[string]any), r); code != 0 {
			fail(code, why)
			return
		}
	}
	_ = json.NewEncoder(w).Encode(pod)
}

// patch does a merge patch to the annotations.
func (s *Server) patch(of map[string]any, r *http.Request) (code int, why string) {
	s.patches++
	all, _ := of["annotations"].(map[string]any)
	all = maps.Clone(all)
	if all == nil {
		all = map[string]any{}
	}
	write := func() {
		s.version++
		of["annotations"], of["resourceVersion"] = all, strconv.Itoa(s.version)
	}
	if s.strange > 0 {
		s.strange--
		all[fmt.Sprint("strange/", s.strange)] = "theirs"
		write()
	}
	var in struct {
		Metadata struct {
			ResourceVersion string         `json:"resourceVersion"`
			Annotations     map[string]any `json:"annotations"`
		} `json:"metadata"`
	}
	if r.Header.Get("Content-Type") != "application/merge-patch+json" || json.NewDecoder(r.Body).Decode(&in) != nil {
		return http.StatusUnsupportedMediaType, "want a merge patch"
	}
	if v := in.Metadata.ResourceVersion; v != "" && v != of["resourceVersion"] {
		return http.StatusConflict, "the object has been modified; please apply your changes to the latest version and try again"
	}
	for key, value := range in.Metadata.Annotations {
		if all[key] = value; value == nil {
			delete(all, key)
		}
	}
	write()
	return 0, ""
}
