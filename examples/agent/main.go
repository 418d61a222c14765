// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "go.etcd.io/etcd/client/v3"
	_ "go.etcd.io/etcd/server/v3/embed"
)

func main() {}
