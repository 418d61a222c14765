// SPDX-License-Identifier: Apache-2.0

package main

import (
	"embed"
	"net/http"
)

//go:embed page
var pageFiles embed.FS

// page serves the page for a browser: it asks for /statusz and /history again and again, needs
// nothing from elsewhere, and changes nothing.
func page(mux *http.ServeMux) {
	for path, name := range map[string]string{"GET /{$}": "index.html", "GET /page.css": "page.css", "GET /page.js": "page.js"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, q *http.Request) {
			h := w.Header()
			h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'")
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Referrer-Policy", "no-referrer")
			http.ServeFileFS(w, q, pageFiles, "page/"+name)
		})
	}
}
