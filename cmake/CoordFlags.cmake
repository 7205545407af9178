# The one place where compiler flags live.
#
# The language is plain C11: no GNU extensions, so that <time.h> and friends
# stay hidden in the pure folders; an I/O file that needs more defines
# _GNU_SOURCE itself.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)

# Everything is position independent, since the archives also end up in
# libcoord.so; and hidden, since only <coord/coord.h> is public.
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Debug CACHE STRING "Debug or RelWithDebInfo" FORCE)
endif()
set(CMAKE_C_FLAGS_DEBUG "-O0 -g3")
# No NDEBUG: what is checked in a test is checked in production.
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")

find_program(COORD_CCACHE ccache)
mark_as_advanced(COORD_CCACHE)
if(COORD_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER ${COORD_CCACHE})
endif()

add_library(coord_flags INTERFACE)
target_compile_options(coord_flags INTERFACE
    -Wall -Wextra -Werror
    -Wshadow
    -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
    # Narrowing is spelled out. Not -Wsign-conversion: it asks for a cast at
    # every index, and casts hide more than they show.
    -Wconversion -Wno-sign-conversion
    -Wvla -Wundef -Wwrite-strings -Wpointer-arith -Wformat=2
    -fno-omit-frame-pointer # whole stacks in sanitizer reports and profiles
    -fstack-protector-strong)
target_include_directories(coord_flags INTERFACE ${PROJECT_SOURCE_DIR})
# Generated headers are not ours to mend, hence SYSTEM.
target_include_directories(coord_flags SYSTEM INTERFACE ${PROJECT_BINARY_DIR}/proto)
target_link_options(coord_flags INTERFACE -Wl,-z,relro,-z,now)

if(COORD_SANITIZE)
    # For generated code too, hence not in coord_flags.
    add_compile_options(-fsanitize=${COORD_SANITIZE} -fno-sanitize-recover=all
                        -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${COORD_SANITIZE})
else()
    # Needs optimisation, and blinds the sanitizers.
    target_compile_options(coord_flags INTERFACE
        $<$<CONFIG:RelWithDebInfo>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>)
endif()

if(COORD_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
        message(FATAL_ERROR "COORD_FUZZ needs clang: libFuzzer is a part of it")
    endif()
    add_compile_options(-fsanitize=fuzzer-no-link)
    # Two warnings that gcc does not have of what is meant: {NULL}, CHECK(!"text").
    target_compile_options(coord_flags INTERFACE
        -Wno-missing-field-initializers -Wno-string-conversion)
endif()
