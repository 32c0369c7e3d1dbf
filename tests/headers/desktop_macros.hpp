// Macros as Qt, X11, Windows and glibc define them, for a file that includes those before KVolt and Boost.

// Qt's qobjectdefs.h and qglobal.h
#define emit
#define forever for (;;)
#define foreach(variable, container) for (variable : container)
#define signals public
#define slots

// X11's X.h, Xlib.h, and Xlibint.h
#define Above 0
#define Always 2
#define Below 1
#define Bool int
#define Complex 0
#define Convex 2
#define Expose 12
#define False 0
#define KeyPress 2
#define None 0L
#define Status int
#define Success 0
#define True 1
#define Unsorted 0

// Windows' windef.h and the like
#define DELETE 0x00010000L
#define ERROR 0
#define IN
#define NO_ERROR 0L
#define OUT
#define STRICT 1
#define VOID void
#define far
#define interface struct
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define near
#define small char

// sys/sysmacros.h, and g++ where it speaks gnu++20
#define linux 1
#define major(device) ((device) >> 8)
#define minor(device) ((device) & 255)
#define unix 1
