// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
)

// certificates are TLS by files that may change: each connection is made by what stands in them then.
// Files that cannot be used, as somebody is writing them perhaps, leave it at what was there before.
// Connections that are up stay up.
type certificates struct {
	credentials.TransportCredentials // what does not depend on the files
	files                            Access

	mu   sync.Mutex
	good *tls.Config
}

func newCertificates(files Access) (*certificates, error) {
	c := &certificates{files: files, TransportCredentials: credentials.NewTLS(nil)}
	_, err := c.config()
	return c, err
}

// config is made of the files as they are, or were when they could be used last.
func (c *certificates) config() (*tls.Config, error) {
	now, err := c.files.read()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.good = now
	}
	if c.good == nil {
		return nil, err
	}
	return c.good.Clone(), nil
}

func (a Access) read() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if a.CA != "" {
		pem, err := os.ReadFile(a.CA)
		if err != nil {
			return nil, fmt.Errorf("authorities: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("authorities: %s holds no PEM certificate", a.CA)
		}
	}
	if a.Cert != "" {
		pair, err := tls.LoadX509KeyPair(a.Cert, a.Key)
		if err != nil {
			return nil, fmt.Errorf("certificate %s and key %s: %w", a.Cert, a.Key, err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// ClientHandshake is of credentials.TransportCredentials.
func (c *certificates) ClientHandshake(ctx context.Context, host string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, nil, err
	}
	n, known := raw.(*noted)
	if known {
		raw = n.Conn
	}
	conn, info, err := credentials.NewTLS(cfg).ClientHandshake(ctx, host, raw)
	if err != nil {
		if err = c.files.explain(err); known {
			n.link.note(n.address, err)
		}
		return nil, nil, err
	}
	if known {
		conn = note(conn, n.link, n.address, c.files.explain)
	}
	return conn, info, nil
}

// Clone is of credentials.TransportCredentials.
func (c *certificates) Clone() credentials.TransportCredentials { return c }

// dial is for HTTP.
func (c *certificates) dial(ctx context.Context, network, address string) (net.Conn, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	d := tls.Dialer{NetDialer: dialer, Config: cfg}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, c.files.explain(err)
	}
	return note(conn, &link{why: map[string]error{}}, "", c.files.explain), nil
}

// explain adds to an error of TLS what to do.
func (a Access) explain(err error) error {
	if err == nil {
		return nil
	}
	from := cmp.Or(a.CA, "the system's")
	ours := cmp.Or(a.Cert, "none is given")
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	what := ""
	switch text := err.Error(); {
	case errors.As(err, &name):
		what = fmt.Sprintf("etcd's certificate is of another name: it is for %s, not for %s; use a name that it has, or have it made anew for this one", strings.Join(names(name.Certificate), ", "), name.Host)
	case errors.As(err, &unknown):
		what = fmt.Sprintf("etcd's certificate is of an authority that is not trusted (%s): %s has to have it (cacert)", issuer(unknown.Cert), from)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && time.Now().Before(invalid.Cert.NotBefore):
		what = fmt.Sprintf("etcd's certificate is not valid before %s, and here it is %s: is a clock wrong?", stamp(invalid.Cert.NotBefore), stamp(time.Now()))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		what = fmt.Sprintf("etcd's certificate expired %s, and here it is %s: renew it", stamp(invalid.Cert.NotAfter), stamp(time.Now()))
	case errors.As(err, &record), errors.Is(err, io.EOF):
		what = "what answers speaks no TLS: is it http, or no etcd?"
	case !strings.Contains(text, "remote error: tls: "):
		return err
	case strings.Contains(text, "certificate required") && a.Cert != "":
		what = fmt.Sprintf("etcd wants a certificate, and ours (%s) is not of an authority that it trusts", ours)
	case strings.Contains(text, "certificate required"):
		what = "etcd wants a certificate, and gets none: give it one (cert, key)"
	case strings.Contains(text, "expired certificate"):
		what = fmt.Sprintf("etcd says that our certificate (%s) expired: renew it; a new one in the same file is taken at once", ours)
	case strings.Contains(text, "unknown certificate authority"), strings.Contains(text, "bad certificate"), strings.Contains(text, "unknown certificate"):
		what = fmt.Sprintf("etcd does not take our certificate (%s): it has to be of an authority that etcd trusts, and be good for clients", ours)
	default:
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

func names(c *x509.Certificate) []string {
	out := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		out = append(out, ip.String())
	}
	if len(out) == 0 {
		out = append(out, "no name at all")
	}
	return out
}

func issuer(c *x509.Certificate) string {
	if c == nil || c.Issuer.String() == "" {
		return "it does not say which"
	}
	return c.Issuer.String()
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
