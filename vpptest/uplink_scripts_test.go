// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"go.fd.io/govpp/api"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/vpptest"
)

func rxMode(i index, mode interface_types.RxMode, queue ...uint32) api.Message {
	q := &interfaces_api.SwInterfaceSetRxMode{SwIfIndex: i, Mode: mode}
	if len(queue) > 0 {
		q.QueueIDValid, q.QueueID = true, queue[0]
	}
	return q
}

func rxPlace(i index, queue, worker uint32, main bool) api.Message {
	return &interfaces_api.SwInterfaceSetRxPlacement{SwIfIndex: i, QueueID: queue, WorkerID: worker, IsMain: main}
}

func promisc(i index, on bool) api.Message {
	return &interfaces_api.SwInterfaceSetPromisc{SwIfIndex: i, PromiscOn: on}
}

const polling, interrupt, adaptive, byDefault = interface_types.RX_MODE_API_POLLING, interface_types.RX_MODE_API_INTERRUPT, interface_types.RX_MODE_API_ADAPTIVE, interface_types.RX_MODE_API_DEFAULT

var queues = &interfaces_api.SwInterfaceRxPlacementDump{SwIfIndex: none}

var uplinkScripts = []vpptest.Script{
	{Name: "uplink", About: "queues of the devices vt0 and vt1 of Linux, and who takes frames that are not for it", Steps: steps(
		do(queues), do(loopback()), do(vlan(1, 10)), do(host("vt0")), do(host("vt1")), do(vhostPort("$DIR/u")), do(wg(none, 1, 51820, "10.0.0.1")), do(vxlanTo(true, "10.0.0.1", "10.0.0.2", 5)), do(greTo(true, "10.0.0.1", "10.0.0.2")), do(interfaces),
		do(queues), do(&interfaces_api.SwInterfaceRxPlacementDump{SwIfIndex: 3}), do(&interfaces_api.SwInterfaceRxPlacementDump{SwIfIndex: 1}), do(&interfaces_api.SwInterfaceRxPlacementDump{SwIfIndex: 2}), do(&interfaces_api.SwInterfaceRxPlacementDump{SwIfIndex: 77}),
		do(rxMode(3, polling, 0)), do(queues), do(rxMode(3, adaptive)), do(queues), do(rxMode(3, interrupt, 0)), do(rxMode(3, byDefault, 0)), do(queues), do(rxMode(3, polling, 1)), do(rxMode(77, polling)), do(rxMode(2, polling)), do(rxMode(1, polling)), do(rxMode(1, polling, 0)), do(rxMode(5, polling)), do(rxMode(5, polling, 0)), do(rxMode(0, polling)), do(queues),
		note("no such worker", rxPlace(3, 0, 0, false)), do(rxPlace(3, 0, 5, true)), do(rxPlace(3, 1, 0, true)), do(rxPlace(1, 0, 0, true)), do(rxPlace(2, 0, 0, true)), do(rxPlace(77, 0, 0, true)), do(queues),
		do(promisc(3, true)), do(promisc(3, true)), do(promisc(3, false)), do(promisc(1, true)), do(promisc(1, false)), do(promisc(2, true)), do(promisc(0, true)), do(promisc(5, true)), do(promisc(6, true)), do(promisc(7, true)), do(promisc(8, true)), do(promisc(77, true)), do(interfaces),
	)},
}
