// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"go.fd.io/govpp/binapi/pipe"

	"github.com/vppkit/vppkit/vpptest"
)

var pipeScripts = []vpptest.Script{
	{Name: "pipe", About: "pipes and their ends", Steps: steps(
		do(&pipe.PipeDump{}), do(&pipe.PipeCreate{}), do(interfaces), do(&pipe.PipeCreate{IsSpecified: true, UserInstance: 9000}), do(&pipe.PipeDump{}), do(interfaces),
		do(tag(5, "me/x")), do(tag(2, "me/y")), do(admin(4, up)), do(interfaces), do(admin(5, 0)), do(admin(5, up)), do(dump(5)), do(admin(4, 0)), do(interfaces), note("an end, while it is down", admin(5, up)), do(admin(4, up)),
		do(bd(5)), do(bd(6)), do(join(5, 5)), do(join(6, 6)), do(domains), do(mtu(5, 1500, 0, 0, 0)), do(setMAC(4, mac(1))), do(dump(4)),
		note("with ends in use", &pipe.PipeDelete{SwIfIndex: 4}), do(domains), do(interfaces), do(&pipe.PipeDump{}), note("gone", &pipe.PipeDelete{SwIfIndex: 4}), do(&pipe.PipeDelete{SwIfIndex: 77}),
		do(loopback()), do(&pipe.PipeCreate{}), do(interfaces), do(&pipe.PipeDump{}), do(&pipe.PipeDelete{SwIfIndex: 1}), do(&pipe.PipeDump{}), do(interfaces),
	)},
}
