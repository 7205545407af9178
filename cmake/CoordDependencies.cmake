# What is taken from the system (tools/dev/install-deps installs it).
#
# PkgConfig::PROTOBUF_C, PkgConfig::SQLITE, PkgConfig::XXHASH, PkgConfig::CJSON,
# PkgConfig::CUNIT; gRPC's C core by the plain names `grpc` and `gpr`: its .pc
# file would also link everything that core itself links.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c>=1.4)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.40)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash>=0.8)
pkg_check_modules(CJSON REQUIRED IMPORTED_TARGET libcjson>=1.7)
if(COORD_TESTS)
    pkg_check_modules(CUNIT REQUIRED IMPORTED_TARGET cunit>=2.1)
endif()

find_program(PROTOC_C protoc-c REQUIRED)
find_library(GRPC_LIBRARY grpc REQUIRED)
find_library(GPR_LIBRARY gpr REQUIRED)
find_path(GRPC_INCLUDE_DIR grpc/grpc.h REQUIRED)
mark_as_advanced(PROTOC_C GRPC_LIBRARY GPR_LIBRARY GRPC_INCLUDE_DIR)
