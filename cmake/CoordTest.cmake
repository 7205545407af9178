# coord_test(NAME [SOURCES file...] [LIBS target...])
#
# A CUnit executable from NAME.c of the current folder, and SOURCES if it has
# more; registered with ctest under the label `unit`. It ends up in
# <build>/tests/, beside no shipped program.
function(coord_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
    if(arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "coord_test(${name}): what is ${arg_UNPARSED_ARGUMENTS}?")
    endif()
    set(sources ${name}.c ${arg_SOURCES})
    list(REMOVE_DUPLICATES sources)

    add_executable(${name} ${sources})
    set_target_properties(${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    target_link_libraries(${name} PRIVATE ${arg_LIBS} coord_runner coord_flags)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 300)
endfunction()
