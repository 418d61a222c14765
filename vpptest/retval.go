// SPDX-License-Identifier: Apache-2.0

package vpptest

// Return values, as VPP numbers them.
const (
	unspecified          = -1
	invalidInterface     = -2
	noSuchFIB            = -3
	noSuchEntry          = -6
	invalidValue         = -7
	invalidValue2        = -8
	unimplemented        = -9
	syscallError1        = -11
	syscallError2        = -12
	syscallError3        = -13
	syscallError4        = -14
	featureDisabled      = -30
	invalidRegistration  = -31
	invalidVLAN          = -55
	vlanExists           = -56
	invalidSource        = -57
	invalidDestination   = -58
	noSuchNode           = -63
	noSuchNode2          = -64
	subifExists          = -68
	invalidMemorySize    = -70
	invalidInterface2    = -71
	invalidTagCount      = -72
	invalidArgument      = -73
	tunnelExists         = -75
	invalidDecapNext     = -76
	interfaceExists      = -79
	valueExists          = -81
	sameSrcDst           = -82
	invalidWorker        = -89
	noClassifyTable      = -91
	noSuchFamily         = -97
	notASubInterface     = -98
	bridgeDomainExists   = -119
	bridgeDomainInUse    = -120
	bridgeDomainFixed    = -121
	bridgeDomainIDTooBig = -122
	unsupported          = -126
	invalidAddressFamily = -97
	inUseInbound         = -142
	inUseOutbound        = -143
	netlinkError         = -145
	instanceInUse        = -147
	invalidSession       = -148
	inUseLookup          = -149
	bridgeDomainHasBVI   = -152
	invalidProtocol      = -153
	limitExceeded        = -162
	aBug                 = -168
	featureDisabled2     = -169
	featureEnabled       = -170
)

// none is VPP's ~0: no index, or all of them.
const none = 1<<32 - 1
