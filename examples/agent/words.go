// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// How long anything may be that is said, whatever it is about: who can write keys must not be
// able to fill logs, or to make etcd refuse what is said of others.
const (
	mostText    = 1000 // bytes of an error
	mostSegment = 128  // of one part of a key
	mostName    = 300  // of all its parts
)

// reason is the value of an error key.
func reason(why string) string {
	out, err := json.Marshal(struct {
		Error string `json:"error"`
	}{cut(why)})
	if err != nil {
		return "{}" // strings always marshal
	}
	return string(out)
}

// cut is a text on one line, and its beginning if it is too long.
func cut(s string) string {
	s = strings.ReplaceAll(s, "\n", "; ")
	if len(s) <= mostText {
		return s
	}
	n := mostText - 40
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return fmt.Sprintf("%s … and %d bytes more", s[:n], len(s)-n)
}

// pathSegments is a name of several parts with each made a segment.
func pathSegments(name string) string {
	if len(name) > mostName { // its parts may be as many as bytes
		return segment(name)
	}
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = segment(p)
	}
	if s := strings.Join(parts, "/"); len(s) <= mostName {
		return s
	}
	return segment(name)
}

// segment makes one part of a key of any name, however hostile.
func segment(name string) string {
	if len(name) <= mostSegment {
		if s := url.PathEscape(name); len(s) <= mostSegment {
			return s
		}
	}
	sum := sha256.Sum256([]byte(name))
	s := url.PathEscape(name[:min(len(name), mostSegment/2)])
	return s[:min(len(s), mostSegment/2)] + "~" + hex.EncodeToString(sum[:8])
}
