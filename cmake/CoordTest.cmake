# coord_test(NAME [SOURCES file...] [LIBS target...])
#
# A CUnit executable from NAME.c of the current folder, and SOURCES if it has
# more; registered with ctest under the label `unit`. Modules of two folders may
# have one name, so the target is FOLDER-NAME and the program
# <build>/tests/FOLDER/NAME, beside no shipped program.
function(coord_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
    if(arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "coord_test(${name}): what is ${arg_UNPARSED_ARGUMENTS}?")
    endif()
    set(sources ${name}.c ${arg_SOURCES})
    list(REMOVE_DUPLICATES sources)
    cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME folder)
    set(target ${folder}-${name})

    add_executable(${target} ${sources})
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME ${name}
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/${folder})
    target_link_libraries(${target} PRIVATE ${arg_LIBS} coord_runner coord_flags)
    add_test(NAME ${folder}/${name} COMMAND ${target})
    set_tests_properties(${folder}/${name} PROPERTIES LABELS unit TIMEOUT 300)
endfunction()
