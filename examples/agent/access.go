// SPDX-License-Identifier: Apache-2.0

package main

import (
	flag "github.com/spf13/pflag"

	"github.com/vppkit/vppkit/examples/agent/etcd"
)

// accessFlags are how to be let in by an etcd, for all commands that speak to one; by a name that begins
// the flags'.
func accessFlags(f *flag.FlagSet, name string, a *etcd.Access) {
	f.StringVar(&a.CA, name+"-cacert", "", "PEM `file` of the authorities that the certificate of --"+name+" may be of. This and the next two are read anew for each connection")
	f.StringVar(&a.Cert, name+"-cert", "", "PEM `file` of the certificate to show to --"+name)
	f.StringVar(&a.Key, name+"-key", "", "PEM `file` of its key")
	f.StringVar(&a.User, name+"-user", "", "`name` to give to --"+name)
	f.Var(&a.Password, name+"-password-file", "`file` with the password, which only its owner and group read")
}
