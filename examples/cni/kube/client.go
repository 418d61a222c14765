// SPDX-License-Identifier: Apache-2.0

// Package kube is as much of Kubernetes as a CNI plugin needs: where a pod's volume is, and the pod's
// annotations. It speaks to the API server by HTTP; a client library would be most of the plugin, which is
// started once for each command.
package kube

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// timeout bounds a request: who waits for an API server that accepts and says nothing has other things to do.
const timeout = 5 * time.Second

// Client speaks to one API server. Its methods may be called from any number of goroutines.
type Client struct {
	server string
	user   user
	http   http.Client
}

// config is a kubeconfig, as far as it is used. Files are relative to its own directory.
type config struct {
	Current  string `json:"current-context"`
	Contexts []struct {
		Name    string
		Context struct{ Cluster, User string }
	}
	Clusters []struct {
		Name    string
		Cluster cluster
	}
	Users []struct {
		Name string
		User user
	}
}

type cluster struct {
	Server   string
	CA       string `json:"certificate-authority"`
	CAData   []byte `json:"certificate-authority-data"`
	Insecure bool   `json:"insecure-skip-tls-verify"`
	Name     string `json:"tls-server-name"`
}

type user struct {
	Token     string
	TokenFile string          `json:"tokenFile"` // before Token
	Cert      string          `json:"client-certificate"`
	CertData  []byte          `json:"client-certificate-data"`
	Key       string          `json:"client-key"`
	KeyData   []byte          `json:"client-key-data"`
	Exec      json.RawMessage `json:"exec"`
	Provider  json.RawMessage `json:"auth-provider"`
}

// Open reads a kubeconfig: that of its current context, or of the only cluster and user. Users are
// known by a token or by a certificate. It asks the API server for nothing.
func Open(kubeconfig string) (*Client, error) {
	text, err := os.ReadFile(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	var conf config
	if err := yaml.Unmarshal(text, &conf); err != nil {
		return nil, fmt.Errorf("kubeconfig %s cannot be read", kubeconfig) // the error would show what is in it
	}
	c, err := conf.client(filepath.Dir(kubeconfig))
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", kubeconfig, err)
	}
	return c, nil
}

func (f config) client(dir string) (*Client, error) {
	at, of, err := f.chosen()
	if err != nil {
		return nil, err
	}
	server, err := url.Parse(at.Server)
	if err != nil || server.Host == "" || server.Scheme != "https" && server.Scheme != "http" {
		return nil, fmt.Errorf("server %q: want a URL", at.Server)
	}
	if of.Exec != nil || of.Provider != nil {
		return nil, errors.New("the user is known by a program: want a token or a certificate")
	}
	read := func(data []byte, file string) ([]byte, error) {
		if len(data) > 0 || file == "" {
			return data, nil
		}
		return os.ReadFile(within(dir, file))
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: at.Insecure, ServerName: at.Name} //nolint:gosec // as the kubeconfig says
	ca, err := read(at.CAData, at.CA)
	if err != nil {
		return nil, err
	}
	if len(ca) > 0 {
		if secure.RootCAs = x509.NewCertPool(); !secure.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("certificate-authority: there is no certificate in it")
		}
	}
	cert, err := read(of.CertData, of.Cert)
	if err != nil {
		return nil, err
	}
	key, err := read(of.KeyData, of.Key)
	if err != nil {
		return nil, err
	}
	if len(cert) > 0 {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("client-certificate: %w", err)
		}
		secure.Certificates = []tls.Certificate{pair}
	}
	if of.TokenFile != "" {
		of.TokenFile = within(dir, of.TokenFile)
	}
	return &Client{
		server: strings.TrimSuffix(server.String(), "/"), user: of,
		http: http.Client{Timeout: timeout, Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: secure, IdleConnTimeout: timeout,
		}},
	}, nil
}

func within(dir, file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dir, file)
}

// chosen are the cluster and the user of the context that is current.
func (f config) chosen() (at cluster, of user, err error) {
	var clusterName, userName string
	for _, c := range f.Contexts {
		if c.Name == f.Current {
			clusterName, userName = c.Context.Cluster, c.Context.User
		}
	}
	found := 0
	for _, c := range f.Clusters {
		if c.Name == clusterName || clusterName == "" && len(f.Clusters) == 1 {
			at = c.Cluster
			found++
		}
	}
	for _, u := range f.Users {
		if u.Name == userName || userName == "" && len(f.Users) == 1 {
			of = u.User
			found++
		}
	}
	if found != 2 {
		return at, of, fmt.Errorf("context %q names no cluster and user of it", f.Current)
	}
	return at, of, nil
}

// do sends a request, and reads an answer into out.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.server+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/merge-patch+json")
	}
	token := c.user.Token
	if c.user.TokenFile != "" { // it is written anew from time to time
		text, err := os.ReadFile(c.user.TokenFile)
		if err != nil {
			return err
		}
		token = strings.TrimSpace(string(text))
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 8<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		said := &Error{Method: method, Path: path, Code: answer.StatusCode, Message: answer.Status}
		var status struct{ Message string }
		if json.Unmarshal(text, &status) == nil {
			said.Message = cmp.Or(status.Message, said.Message)
		}
		return said
	}
	return json.Unmarshal(text, out)
}

// Error is a refusal of the API server.
type Error struct {
	Method, Path string
	Code         int // of HTTP
	Message      string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s %s: %s (%d)", e.Method, e.Path, e.Message, e.Code)
}
