#include "textflag.h"

// func masksAVX2(text *byte, n int, quotes, special *uint64)
TEXT ·masksAVX2(SB), NOSPLIT, $0-32
	MOVQ text+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ quotes+16(FP), DI
	MOVQ special+24(FP), DX

	// Y0: quotes, Y1: backslashes, Y2: the last control character, 31.
	MOVQ $0x2222222222222222, AX
	MOVQ AX, X0
	VPBROADCASTQ X0, Y0
	MOVQ $0x5c5c5c5c5c5c5c5c, AX
	MOVQ AX, X1
	VPBROADCASTQ X1, Y1
	MOVQ $0x1f1f1f1f1f1f1f1f, AX
	MOVQ AX, X2
	VPBROADCASTQ X2, Y2

loop:
	VMOVDQU (SI), Y3
	VMOVDQU 32(SI), Y4

	VPCMPEQB Y0, Y3, Y5
	VPCMPEQB Y0, Y4, Y6
	VPMOVMSKB Y5, AX
	VPMOVMSKB Y6, BX
	SHLQ $32, BX
	ORQ BX, AX
	MOVQ AX, (DI)

	// A byte is below 32 when the lesser of it and 31 is it.
	VPCMPEQB Y1, Y3, Y5
	VPMINUB Y2, Y3, Y7
	VPCMPEQB Y3, Y7, Y7
	VPOR Y5, Y7, Y5
	VPCMPEQB Y1, Y4, Y6
	VPMINUB Y2, Y4, Y8
	VPCMPEQB Y4, Y8, Y8
	VPOR Y6, Y8, Y6
	VPMOVMSKB Y5, AX
	VPMOVMSKB Y6, BX
	SHLQ $32, BX
	ORQ BX, AX
	MOVQ AX, (DX)

	ADDQ $64, SI
	ADDQ $8, DI
	ADDQ $8, DX
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET

// func cpuid(leaf, sub uint32) (a, b, c, d uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-24
	MOVL leaf+0(FP), AX
	MOVL sub+4(FP), CX
	CPUID
	MOVL AX, a+8(FP)
	MOVL BX, b+12(FP)
	MOVL CX, c+16(FP)
	MOVL DX, d+20(FP)
	RET

// func xgetbv() uint32
TEXT ·xgetbv(SB), NOSPLIT, $0-4
	XORL CX, CX
	XGETBV
	MOVL AX, ret+0(FP)
	RET

// ONE writes the position of the lowest bit of AX, and clears it.
#define ONE(at) \
	TZCNTQ AX, R8      \
	ADDL DX, R8        \
	MOVL R8, at(R9)    \
	BLSRQ AX, AX

// func positionsBMI(masks *uint64, n int, list *uint32) (count int)
TEXT ·positionsBMI(SB), NOSPLIT, $0-32
	MOVQ masks+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ list+16(FP), DI
	MOVQ DI, R10
	XORL DX, DX

block:
	MOVQ (SI), AX
	POPCNTQ AX, BX
	MOVQ DI, R9

	// Most blocks have fewer than nine quotes: eight are written whether there are as
	// many or not, which saves a branch that nobody can foretell.
eight:
	ONE(0)
	ONE(4)
	ONE(8)
	ONE(12)
	ONE(16)
	ONE(20)
	ONE(24)
	ONE(28)
	ADDQ $32, R9
	TESTQ AX, AX
	JNZ eight

	LEAQ (DI)(BX*4), DI
	ADDQ $8, SI
	ADDL $64, DX
	DECQ CX
	JNZ block
	SUBQ R10, DI
	SHRQ $2, DI
	MOVQ DI, count+24(FP)
	RET
