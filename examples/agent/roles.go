// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/controller"
	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// role is what a user of etcd may do.
type role struct {
	name, user string
	may        map[string]clientv3.PermissionType // with all below a prefix
}

const (
	mayRead  = clientv3.PermissionType(clientv3.PermRead)
	mayWrite = clientv3.PermissionType(clientv3.PermReadWrite)
)

// roles are what each sort of program needs, and no more. A host's agent changes nothing that another
// host's says but, in an overlay, who is behind whom: that tree has networks first, hosts below them.
var roles = map[string]func(name string, overlay bool) map[string]clientv3.PermissionType{
	"agent": func(host string, overlay bool) map[string]clientv3.PermissionType {
		s := translate.Site{Host: host}
		may := map[string]clientv3.PermissionType{
			s.Keys(): mayRead, translate.Groups: mayRead, translate.Members: mayRead, translate.TapTargets: mayRead, translate.Taps: mayRead,
			s.State(): mayWrite, translate.TapState(host, ""): mayWrite,
		}
		if overlay {
			may[translate.Networks] = mayWrite
		}
		return may
	},
	"controller": func(string, bool) map[string]clientv3.PermissionType {
		return map[string]clientv3.PermissionType{
			translate.Root + "state/": mayRead, translate.Taps: mayRead,
			translate.Root + "nodes/": mayWrite, translate.Root + "global/": mayWrite, controller.Journals: mayWrite,
		}
	},
	"reader": func(string, bool) map[string]clientv3.PermissionType {
		return map[string]clientv3.PermissionType{translate.Root: mayRead}
	},
	"mirror": func(string, bool) map[string]clientv3.PermissionType {
		return map[string]clientv3.PermissionType{translate.Root: mayWrite}
	},
}

func rolesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "roles NAME...", Args: cobra.MinimumNArgs(1),
		Short: "Says or applies what hosts' agents, and others, may do in etcd",
		Long: `Prints, as commands of etcdctl, the role and the user that the agent of each host needs: it reads the keys of its own host and
what hosts have in common, and writes its own state, nothing else. NAME is the host, and the user: who shows a certificate of that common
name is him, where etcd runs with --client-cert-auth. With --for another sort of program, NAME is the user.

With --apply they are made so in etcd, and what else the role allowed is taken from it; who asks has to be root there. etcd asks nobody who
he is before auth is enabled, which this does not do. Exits with 3 if it is not.`,
	}
	var r reach
	r.register(c.Flags())
	sort := c.Flags().String("for", "agent", "`SORT` of program: agent; controller, which writes what hosts shall be (agent put); reader (agent get, agent wait); mirror")
	overlay := c.Flags().Bool("overlay", false, "the host has --gpe-locator: its agent says who is behind it, in a tree that all such hosts write to")
	apply := c.Flags().Bool("apply", false, "make them so in etcd")
	var password etcd.Secret
	c.Flags().Var(&password, "new-password-file", "`file` with a password for who is new; without it a certificate alone lets in")
	c.RunE = func(c *cobra.Command, args []string) error {
		may := roles[*sort]
		if may == nil {
			return usageError{fmt.Errorf("--for %q: want %s", *sort, strings.Join(slices.Sorted(maps.Keys(roles)), ", "))}
		}
		var all []role
		for _, name := range args {
			if strings.Contains(name, "/") || !translate.IsRead(translate.Root+"nodes/"+name+"/ports/") {
				return usageError{fmt.Errorf("%.60q: want 1 to 255 letters, digits or ._-", name)}
			}
			all = append(all, role{name: "vppkit-" + *sort + "-" + name, user: name, may: may(name, *overlay)})
		}
		if *apply {
			return applyRoles(c, &r, all, password)
		}
		for _, x := range all {
			x.print(c.OutOrStdout(), password.Given())
		}
		return nil
	}
	return c
}

// print writes commands that do what apply does, for a role that is not there yet.
func (x role) print(out io.Writer, password bool) {
	fmt.Fprintf(out, "etcdctl role add %s\n", x.name)
	for _, tree := range slices.Sorted(maps.Keys(x.may)) {
		how := "read"
		if x.may[tree] == mayWrite {
			how = "readwrite"
		}
		fmt.Fprintf(out, "etcdctl role grant-permission %s --prefix=true %s %s\n", x.name, how, tree)
	}
	no := " --no-password"
	if password {
		no = ""
	}
	fmt.Fprintf(out, "etcdctl user add %s%s\netcdctl user grant-role %s %s\n", x.user, no, x.user, x.name)
}

func applyRoles(c *cobra.Command, r *reach, all []role, password etcd.Secret) error {
	client, err := r.dial()
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(c.Context(), r.wait)
	defer cancel()
	on, err := waitedFor(ctx, c.ErrOrStderr(), "etcd", client.AuthStatus)
	if err != nil {
		return err
	}
	for _, x := range all {
		did, err := x.apply(ctx, client, password)
		if err != nil {
			return fmt.Errorf("role %s: %w", x.name, err)
		}
		for _, line := range did {
			fmt.Fprintln(c.OutOrStdout(), line)
		}
		fmt.Fprintf(c.OutOrStdout(), "user %s has role %s\n", x.user, x.name)
	}
	if !on.Enabled {
		fmt.Fprintln(c.ErrOrStderr(), "etcd asks nobody who he is, so this means nothing yet: make a user root, then etcdctl auth enable")
		return errWrong
	}
	return nil
}

// apply makes the role in etcd what it is here, and says what changed.
func (x role) apply(ctx context.Context, c *clientv3.Client, password etcd.Secret) (did []string, err error) {
	have, err := c.RoleGet(ctx, x.name)
	if errors.Is(err, rpctypes.ErrRoleNotFound) {
		have = &clientv3.AuthRoleGetResponse{}
		_, err = c.RoleAdd(ctx, x.name)
	}
	if err != nil {
		return did, err
	}
	granted := map[string]bool{}
	for _, p := range have.Perm {
		tree := string(p.Key)
		want, ok := x.may[tree]
		if ok && string(p.RangeEnd) == clientv3.GetPrefixRangeEnd(tree) && clientv3.PermissionType(p.PermType) == want {
			granted[tree] = true
			continue
		}
		if _, err := c.RoleRevokePermission(ctx, x.name, tree, string(p.RangeEnd)); err != nil {
			return did, err
		}
		did = append(did, fmt.Sprintf("role %s may %s %s no more", x.name, strings.ToLower(p.PermType.String()), tree))
	}
	for _, tree := range slices.Sorted(maps.Keys(x.may)) {
		if granted[tree] {
			continue
		}
		if _, err := c.RoleGrantPermission(ctx, x.name, tree, clientv3.GetPrefixRangeEnd(tree), x.may[tree]); err != nil {
			return did, err
		}
		did = append(did, fmt.Sprintf("role %s may use %s", x.name, tree))
	}
	made, err := x.applyUser(ctx, c, password)
	return append(did, made...), err
}

func (x role) applyUser(ctx context.Context, c *clientv3.Client, password etcd.Secret) (did []string, err error) {
	have, err := c.UserGet(ctx, x.user)
	if errors.Is(err, rpctypes.ErrUserNotFound) {
		have = &clientv3.AuthUserGetResponse{}
		text := ""
		if password.Given() {
			if text, err = password.Reveal(); err != nil {
				return nil, err
			}
		}
		_, err = c.UserAddWithOptions(ctx, x.user, text, &clientv3.UserAddOptions{NoPassword: text == ""})
		did = append(did, fmt.Sprintf("user %s is new", x.user))
	}
	if err != nil {
		return did, err
	}
	for _, other := range have.Roles {
		if other != x.name {
			did = append(did, fmt.Sprintf("user %s has role %s, too, which was left alone", x.user, other))
		}
	}
	if !slices.Contains(have.Roles, x.name) {
		_, err = c.UserGrantRole(ctx, x.user, x.name)
	}
	return did, err
}
