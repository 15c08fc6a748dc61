ptf ~
k = ~    k     ~
