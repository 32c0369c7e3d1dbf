# What installing a project puts where: cmake -D build=FOLDER -D prefix=FOLDER -D expected=FILES -P installed_files.cmake
file(REMOVE_RECURSE ${prefix})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${build} --prefix ${prefix} COMMAND_ERROR_IS_FATAL ANY)
file(GLOB_RECURSE installed RELATIVE ${prefix} ${prefix}/*)
file(REMOVE_RECURSE ${prefix})
if(NOT installed STREQUAL expected)
    message(FATAL_ERROR "installed: ${installed}; expected: ${expected}")
endif()
